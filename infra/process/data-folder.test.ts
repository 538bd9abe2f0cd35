import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { BadConfiguration, BadDataFile } from '@waybill/shared-kernel/errors.js';
import { joinDataFolder, lockDataFolder, occupyDataFolder, prepareDataFolder, shareDataFolder } from './data-folder.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-folder-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('a data folder has one holder at a time, and another once that one let go', () => {
  const first = lockDataFolder(folder);
  expect(first).toBeDefined();
  expect(lockDataFolder(folder)).toBeUndefined();
  first?.release();
  const second = lockDataFolder(folder);
  expect(second).toBeDefined();
  second?.release();
});

test('processes share a data folder, and nobody has it alone until the last of them let go', () => {
  const [first, second] = [shareDataFolder(folder), shareDataFolder(folder)];
  expect([first, second]).toEqual([expect.anything(), expect.anything()]);
  expect(lockDataFolder(folder)).toBeUndefined();
  first?.release();
  expect(lockDataFolder(folder)).toBeUndefined();
  second?.release();
  const alone = lockDataFolder(folder);
  expect(alone).toBeDefined();
  expect(shareDataFolder(folder)).toBeUndefined();
  alone?.release();
  shareDataFolder(folder)?.release();
});

test.each([
  ['alone', occupyDataFolder],
  ['with others', joinDataFolder],
])('who wants a folder %s waits for one who only looks into it, and is refused by one who stays', async (_, take) => {
  const looking = lockDataFolder(folder);
  const taken = take(folder);
  looking?.release();
  (await taken).release();

  const staying = lockDataFolder(folder);
  await expect(take(folder)).rejects.toThrow(BadConfiguration);
  staying?.release();
});

test('a folder is made with its parents', () => {
  const nested = join(folder, 'a', 'b');
  prepareDataFolder(nested);
  lockDataFolder(nested)?.release();
});

test('a folder that cannot be made is refused in one sentence that names it', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  expect(() => {
    prepareDataFolder(join(file, 'data'));
  }).toThrow(BadDataFile);
  expect(() => {
    prepareDataFolder(join(file, 'data'));
  }).toThrow(/WAYBILL_DATA/);
});
