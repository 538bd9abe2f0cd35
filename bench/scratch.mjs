import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own, until it is removed. */
export function lastingScratchFolder() {
  const folder = mkdtempSync(join(process.env.WAYBILL_BENCH_FOLDER ?? tmpdir(), 'waybill-bench-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Runs `work` with a folder of its own, which is gone afterwards. */
export async function inScratchFolder(work) {
  const { folder, remove } = lastingScratchFolder();
  try {
    return await work(folder);
  } finally {
    remove();
  }
}
