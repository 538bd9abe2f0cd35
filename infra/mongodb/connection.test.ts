import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { TcpProxy } from '../testing/tcp-proxy.js';
import { MongoDbConnection } from './connection.js';
import { freePort } from '../testing/loopback-port.js';
import { describeWithServer, ScratchDatabase, serverAddress } from './testing/server-under-test.js';
import { mongoDbTuning } from './tuning.js';

let connection: MongoDbConnection | undefined;
afterEach(() => connection?.close());

function connect(url: string, selectTimeout = 50): MongoDbConnection {
  connection = new MongoDbConnection('read store', { url, tuning: { selectTimeout } });
  return connection;
}

describe('a connection', () => {
  test.each(['http://host', 'mongodb://user:secret@', 'mongodb://user:secret@host:99999/'])(
    'to %s is refused in a sentence that does not repeat it',
    (url) => {
      const message =
        'The address of the read store is not a MongoDB address; it takes mongodb://user:password@host:27017/database.';
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

  test('to a server that is down says so, and why, however often it is asked', async () => {
    // Long enough that a machine with much to do hears the refusal, and not that time is up.
    const down = connect(`mongodb://127.0.0.1:${await freePort()}`, 500);
    for (let times = 0; times < 3; times += 1) {
      const asked = down.read((db) => db.command({ ping: 1 }));
      await expect(asked).rejects.toThrow(Unavailable);
      await expect(asked).rejects.toThrow(/^MongoDB cannot be used now: connect ECONNREFUSED/);
    }
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

describeWithServer('connections to a MongoDB server', () => {
  let proxy: TcpProxy;
  let connections: MongoDbConnection[];

  beforeEach(async () => {
    proxy = await TcpProxy.listen(serverAddress());
    const url = new ScratchDatabase().urlThrough(proxy.port);
    const tuning = { selectTimeout: 300, heartbeat: 5_000, renewAfter: 1_000 };
    connections = Array.from({ length: 20 }, () => new MongoDbConnection('read store', { url, tuning }));
  });

  afterEach(async () => {
    await Promise.all(connections.map((one) => one.close()));
    await proxy.close();
  });

  /** Whether there was an answer. */
  async function ask(one: MongoDbConnection): Promise<boolean> {
    try {
      await one.read((db) => db.collection('none').findOne({}));
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(Unavailable);
      return false;
    }
  }

  test('that are cut while they are made are of use again', async () => {
    for (let cuts = 0; cuts < 10; cuts += 1) {
      proxy.cutAfter(100 + cuts * 97);
      await until(async () => {
        await Promise.all(connections.map(ask));
        return proxy.cuts > cuts;
      });
    }
    await Promise.all(connections.map((one) => until(() => ask(one))));
  });

  test('that are cut while they are used are of use again', async () => {
    for (let cuts = 0; cuts < 3; cuts += 1) {
      await Promise.all(connections.map((one) => until(() => ask(one))));
      // Only when the last heartbeat was half a second ago does the driver have another as soon as it meets a fault.
      const since = performance.now();
      await until(() => performance.now() - since > 600);
      const answers = connections.map(ask);
      // On any stage of the way.
      for (let turn = 0; turn < cuts; turn += 1) await setImmediate();
      proxy.cut();
      await Promise.all(answers);
    }
    await Promise.all(connections.map((one) => until(() => ask(one))));
  });
});
