import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { snapshotStoreContract } from '@waybill/shared-kernel/ports/snapshots.contract.js';
import { openSqliteSnapshotStore } from './snapshot-store.js';

const folder = mkdtempSync(join(tmpdir(), 'waybill-snapshots-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

snapshotStoreContract('sqlite', {
  open: () => Promise.resolve(openSqliteSnapshotStore(join(folder, 'snapshots.sqlite'))),
});

const snapshot = { revision: 7, schemaVersion: 1, text: '{}' };

test('a damaged file stops nobody from starting, is named when it is used, and is made again once it is gone', async () => {
  const file = join(folder, 'damaged.sqlite');
  writeFileSync(file, 'no database'.repeat(1_000));
  const snapshots = openSqliteSnapshotStore(file);
  for (const use of [() => snapshots.load('s'), () => snapshots.save('s', snapshot), () => snapshots.remove('s')]) {
    await expect(use()).rejects.toThrow(BadDataFile);
    await expect(use()).rejects.toThrow('delete it: snapshots are made again');
  }
  rmSync(file);
  await snapshots.save('s', snapshot);
  expect(await snapshots.load('s')).toEqual(snapshot);
  await snapshots.close();
});

test('once it is closed it opens no file', async () => {
  const snapshots = openSqliteSnapshotStore(join(folder, 'none.sqlite'));
  await snapshots.close();
  await expect(snapshots.save('s', snapshot)).rejects.toThrow('was closed');
});
