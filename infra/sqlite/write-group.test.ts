import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDatabase, type Database } from './database.js';
import { WriteGroup } from './write-group.js';

let folder: string;
let database: Database;
let group: WriteGroup;

const schema = {
  applicationId: 1,
  version: 1,
  migrate: (made: Database) => {
    made.exec('CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT');
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-group-'));
  database = openDatabase(join(folder, 'file.sqlite'), { what: 'file', schema });
  group = new WriteGroup(database);
});

afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(...numbers: readonly number[]): Promise<number> {
  return group.commit(() => {
    for (const number of numbers) database.exec(`INSERT INTO numbers VALUES (${number})`);
    return numbers.length;
  });
}

function written(): readonly number[] {
  return database
    .prepare<[number]>('SELECT number FROM numbers ORDER BY number')
    .all()
    .map(([number]) => number);
}

test('what is written in one turn is one transaction, and each writer hears of its own', async () => {
  expect(await Promise.all([write(1), write(2, 3), write(4)])).toEqual([1, 2, 1]);
  expect(group.commits).toBe(1);
  expect(written()).toEqual([1, 2, 3, 4]);
});

test('work that fails is not written in part, and takes nobody with it', async () => {
  const outcomes = await Promise.allSettled([write(1), write(2, 1), write(3)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(written()).toEqual([1, 3]);
});

test('a failed commit fails all of its group and writes nothing', async () => {
  const other = openDatabase(database.file, { what: 'file', schema });
  other.exec('BEGIN IMMEDIATE; INSERT INTO numbers VALUES (9)');
  const impatient = new WriteGroup(database, 20);
  const both = [1, 2].map((number) => impatient.commit(() => database.exec(`INSERT INTO numbers VALUES (${number})`)));
  const outcomes = await Promise.allSettled(both);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  other.exec('ROLLBACK');
  other.close();
  expect(written()).toEqual([]);
});

test('idle resolves behind everything that waits, what came meanwhile too', async () => {
  const first = write(1).then(() => write(2));
  await group.idle();
  await first;
  await group.idle();
  expect(written()).toEqual([1, 2]);
});
