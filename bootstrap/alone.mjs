import { mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const beat = 1_000;
const silence = 30_000;

/**
 * Runs `work` while no other process runs any on the same folder.
 *
 * Each process that wants to work first puts a file of its own there and then looks whether another's is alive; if so
 * it takes its own away and tries again later. A file is alive while its process is and while it is touched every
 * second: the second test is for process numbers that are used again after a crash. Nobody ever deletes the file of a
 * living one, so there is no moment at which a take-over from a dead one could let two in.
 */
export async function alone(folder, work, onWait = () => {}) {
  mkdirSync(folder, { recursive: true });
  const own = `${process.pid}-${Date.now()}.lock`;
  let waited = false;
  for (;;) {
    if (!othersAlive(folder, own)) {
      writeFileSync(join(folder, own), String(process.pid));
      if (!othersAlive(folder, own)) break;
      rmSync(join(folder, own), { force: true });
    }
    if (!waited) onWait();
    waited = true;
    await wait(100 + Math.random() * 200);
  }
  const release = () => rmSync(join(folder, own), { force: true });
  const heart = setInterval(() => utimesSync(join(folder, own), new Date(), new Date()), beat);
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(heart);
    process.off('exit', release);
    release();
  }
}

function othersAlive(folder, own) {
  return readdirSync(folder).some((name) => name.endsWith('.lock') && name !== own && alive(join(folder, name)));
}

function alive(file) {
  try {
    const owner = Number(readFileSync(file, 'utf8'));
    const fresh = Date.now() - statSync(file).mtimeMs < silence;
    if (fresh && owner === 0) return true; // made a moment ago, its number not yet written
    if (fresh && owner !== process.pid && running(owner)) return true;
    rmSync(file, { force: true });
    return false;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function running(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
