import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';

/** Gives each test the path of a log of its own, which is not there yet and is gone after it. */
export function logFileForEach(use: (file: string) => void): void {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-log-'));
    use(join(folder, 'log.sqlite'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });
}
