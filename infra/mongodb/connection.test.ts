import { afterEach, describe, expect, test } from '@jest/globals';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import { MongoDbConnection } from './connection.js';
import { freePort } from './testing/server-process.js';
import { mongoDbTuning } from './tuning.js';

let connection: MongoDbConnection | undefined;
afterEach(() => connection?.close());

function connect(url: string): MongoDbConnection {
  connection = new MongoDbConnection('read store', { url, tuning: { selectTimeout: 50 } });
  return connection;
}

describe('a connection', () => {
  test.each(['http://host', 'mongodb://user:secret@', 'mongodb://user:secret@host:99999/'])(
    'to %s is refused in a sentence that does not repeat it',
    (url) => {
      const message =
        'The address of the read store is none of MongoDB; it takes mongodb://user:password@host:27017/database.';
      expect(() => connect(url)).toThrow(new BadConfiguration(message));
    },
  );

  test.each([
    ['mongodb://host', 'waybill'],
    ['mongodb://host/?w=1', 'waybill'],
    ['mongodb://one,two:27018/shop?replicaSet=rs', 'shop'],
    ['mongodb://user:p%2Fw@host/test', 'test'],
  ])('to %s is to the database %s', async (url, name) => {
    expect(await connect(url).read((db) => Promise.resolve(db.databaseName))).toBe(name);
  });

  test('waits for a majority and its journals, whatever the address says', async () => {
    const db = await connect('mongodb://host/?w=1&readConcernLevel=local').read((found) => Promise.resolve(found));
    expect(db.writeConcern).toMatchObject({ w: 'majority', j: true });
    expect(db.readConcern).toMatchObject({ level: 'majority' });
  });

  test('to a server that is down says so', async () => {
    const url = `mongodb://127.0.0.1:${await freePort()}`;
    await expect(connect(url).read((db) => db.command({ ping: 1 }))).rejects.toThrow(Unavailable);
  });

  test('lets so many write at a time, and reads go on meanwhile', async () => {
    connection = new MongoDbConnection('read store', { url: 'mongodb://host', tuning: { writers: 2 } });
    const ends: (() => void)[] = [];
    const writes = Array.from({ length: 3 }, () =>
      connection!.write(() => new Promise<void>((resolve) => ends.push(resolve))),
    );
    expect(await connection.read((db) => Promise.resolve(db.databaseName))).toBe('waybill');
    expect(ends).toHaveLength(2);
    ends[0]!();
    await writes[0];
    expect(ends).toHaveLength(3);
    for (const end of ends) end();
    await Promise.all(writes);
  });

  test('leaves connections for those who read', () => {
    expect(mongoDbTuning.writers).toBeLessThan(mongoDbTuning.connections);
  });

  test('has an answer for whoever asks within two seconds', () => {
    expect(mongoDbTuning.selectTimeout).toBeLessThan(2000);
    expect(mongoDbTuning.readPatience).toBeLessThan(2000);
  });
});
