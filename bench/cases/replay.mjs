import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { eventsPerOrder, fillLog } from '../orders-log.mjs';
import { lastingScratchFolder } from '../scratch.mjs';

const events = 1_000_000;

export const replay = {
  name: 'replay',
  what: `replay: log of ${events.toLocaleString('en')} events → folded history in memory`,
  against: 'reading the same rows and `JSON.parse` alone',
  unit: 'events/s',
  atLeast: 0.6,
  async sides({ note }) {
    const large = await logOf(events);
    const small = await logOf(events / 10);
    return {
      ours: async () => {
        const at = await measure('ours', large);
        const tenth = await measure('ours', small);
        note(
          `peak memory ${at.peakMegabytes} MiB at ${events.toLocaleString('en')} events, ` +
            `${tenth.peakMegabytes} MiB at a tenth of them: ${(at.peakMegabytes / tenth.peakMegabytes).toFixed(2)} times (at most 1.2)`,
        );
        return at.rate;
      },
      theirs: async () => (await measure('theirs', large)).rate,
      close: () => Promise.all([large.remove(), small.remove()]),
    };
  },
};

async function logOf(count) {
  const { folder, remove } = lastingScratchFolder();
  const file = join(folder, 'log.sqlite');
  const store = openSqliteEventStore(file, { clock: systemClock });
  await fillLog(store, { orders: count / eventsPerOrder });
  await store.close();
  return { file, remove };
}

/** Each run is a process of its own, so that its peak memory is its own too. */
async function measure(side, { file }) {
  const script = fileURLToPath(new URL('../replay-once.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, side, file]);
  return JSON.parse(stdout);
}
