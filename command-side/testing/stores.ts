import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';

export interface OpenedStore {
  readonly store: EventStore;
  readonly dispose: () => Promise<void>;
}

/** Every embedded event store, empty. */
export const stores: readonly (readonly [name: string, open: (clock: WallClock) => Promise<OpenedStore>])[] = [
  [
    'memory',
    async (clock) => {
      const store = new MemoryEventStore(clock);
      return { store, dispose: () => store.close() };
    },
  ],
  [
    'sqlite',
    async (clock) => {
      const folder = await mkdtemp(join(tmpdir(), 'waybill-command-side-'));
      const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock });
      return {
        store,
        dispose: async () => {
          await store.close();
          await rm(folder, { recursive: true });
        },
      };
    },
  ],
];

/** The same, with a live look at the log and without. */
export const storesLookedAt = stores.flatMap(([name, open]) => [
  [name, open, false] as const,
  [`${name}, with a live look`, open, true] as const,
]);
