import { join } from 'node:path';
import { AggregateStreams } from '../command-side/dist/handling/aggregate-streams.js';
import { AggregateSnapshots } from '../command-side/dist/handling/snapshots/aggregate-snapshots.js';
import { steadyClock } from '../infra/dist/clock/steady.js';
import { systemClock, systemTimer } from '../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { openSqliteSnapshotStore } from '../infra/dist/snapshots/sqlite/snapshot-store.js';
import { lastingScratchFolder } from './scratch.mjs';

/** A log of its own, the snapshots beside it, and streams as a process has them that remembers nothing. */
export function openSnapshottedLog(category, decider) {
  const { folder, remove } = lastingScratchFolder();
  const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
  const snapshots = new AggregateSnapshots({
    store: openSqliteSnapshotStore(join(folder, 'snapshots.sqlite')),
    timer: systemTimer,
    clock: steadyClock,
    report: ({ message }) => {
      throw new Error(message);
    },
  });
  return {
    store,
    snapshots,
    streamsOf: () => new AggregateStreams(store, category, decider, { keep: 1, snapshots }),
    close: async () => {
      await snapshots.close();
      await store.close();
      remove();
    },
  };
}

/** Milliseconds of one loading, of the ids in turn, each by a process that remembers nothing. */
export async function timeOfLoading(streamsOf, ids, count) {
  const begin = performance.now();
  for (let load = 0; load < count; load += 1) await streamsOf().load(ids[load % ids.length]);
  return (performance.now() - begin) / count;
}
