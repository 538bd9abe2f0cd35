import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './rounds.mjs';
import { inScratchFolder } from './scratch.mjs';

const times = 50;

/** The median time, milliseconds, in which this machine makes 4 KiB durable now: what every durable figure depends on. */
export function medianFdatasync() {
  return inScratchFolder((folder) => {
    const file = openSync(join(folder, 'durable'), 'w');
    const block = Buffer.alloc(4096, 1);
    const measured = Array.from({ length: times }, () => {
      const begin = performance.now();
      writeSync(file, block);
      fdatasyncSync(file);
      return performance.now() - begin;
    });
    closeSync(file);
    return median(measured);
  });
}
