import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { checkDatabase, copyDatabase } from './copy-database.js';
import { openDatabase, type Database } from './database.js';

let folder: string;
let source: Database;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-copy-'));
  source = openDatabase(join(folder, 'source.sqlite'), {
    what: 'test',
    schema: { applicationId: 7, version: 3, migrate: (database) => database.exec('CREATE TABLE notes (text TEXT)') },
  });
});

afterEach(() => {
  source.close();
  rmSync(folder, { recursive: true });
});

function note(text: string): void {
  source.prepare('INSERT INTO notes VALUES (?)').run(text);
}

test('copies what is committed, also what is only in the write-ahead log, in the midst of a transaction of another', () => {
  note('committed');
  source.exec('BEGIN IMMEDIATE');
  note('under way');
  const copied = join(folder, 'copy.sqlite');
  copyDatabase(source.file, copied);
  source.exec('ROLLBACK');
  checkDatabase(copied);
  const copy = openDatabase(copied, {
    what: 'test',
    schema: { applicationId: 7, version: 3, migrate: () => undefined },
    readonly: true,
  });
  expect(copy.prepare('SELECT text FROM notes').all()).toEqual([['committed']]);
  copy.close();
});

test('the write-ahead log is empty after a copy, although writers do not come to empty it', () => {
  for (let count = 0; count < 300; count += 1) note('x'.repeat(10_000));
  expect(statSync(`${source.file}-wal`).size).toBeGreaterThan(3_000_000);
  copyDatabase(source.file, join(folder, 'copy.sqlite'));
  expect(statSync(`${source.file}-wal`).size).toBe(0);
});

test('what was deleted is not in the copy', () => {
  note('a secret that was deleted');
  source.exec('DELETE FROM notes');
  const copied = join(folder, 'copy.sqlite');
  copyDatabase(source.file, copied);
  expect(readFileSync(copied).includes('a secret')).toBe(false);
});

test('a copy never takes the place of a file', () => {
  const taken = join(folder, 'taken.sqlite');
  writeFileSync(taken, 'mine');
  expect(() => copyDatabase(source.file, taken)).toThrow();
  expect(readFileSync(taken, 'utf8')).toBe('mine');
});

test('a damaged file is found', () => {
  for (let count = 0; count < 500; count += 1) note('x'.repeat(100));
  const copied = join(folder, 'copy.sqlite');
  copyDatabase(source.file, copied);
  truncateSync(copied, 20_000);
  expect(() => checkDatabase(copied)).toThrow(BadDataFile);
});
