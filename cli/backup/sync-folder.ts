import { open } from 'node:fs/promises';

/** Makes sure that the names in a folder survive a power cut; a no-op on systems that do not let folders be opened. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (handle === undefined) return;
  try {
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}
