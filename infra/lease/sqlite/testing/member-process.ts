import { leasedPartitions } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { steadyClock } from '../../../clock/steady.js';
import { systemRandomness, systemTimer } from '../../../clock/system.js';
import { openSqliteLeaseStore } from '../lease-store.js';

/** What a process says to its parent. */
export type MemberSays =
  | { readonly says: 'ready' }
  /** The leases that it got of those that it was told to ask for. */
  | { readonly says: 'got'; readonly names: readonly string[] }
  /** The partitions that it works on now. */
  | { readonly says: 'held'; readonly partitions: readonly number[] };

/**
 * A process among several over one file of leases, its argument. Told `{ ask: names }` it asks for these leases, told
 * `{ share: group }` it takes its part of the partitions, until SIGTERM.
 */
function main(file: string, tell: (what: MemberSays) => void): void {
  const leases = openSqliteLeaseStore(file);

  async function ask(names: readonly string[]): Promise<void> {
    const got = await Promise.all(names.map((name) => leases.acquire(name, `process-${process.pid}`, 60_000)));
    tell({ says: 'got', names: names.filter((_, index) => got[index] !== undefined) });
  }

  function share(group: string): void {
    const held = new Set<number>();
    const tellHeld = (): void => tell({ says: 'held', partitions: [...held].sort((left, right) => left - right) });
    const assign = leasedPartitions({ leases, clock: steadyClock, timer: systemTimer, randomness: systemRandomness });
    const assignment = assign(group, (partition) => {
      held.add(partition);
      tellHeld();
      return {
        stop: async () => {
          held.delete(partition);
          tellHeld();
        },
      };
    });
    process.once('SIGTERM', () => {
      void assignment.stop().then(async () => {
        await leases.close();
        process.disconnect();
      });
    });
  }

  process.on('message', (told: { ask?: readonly string[]; share?: string }) => {
    if (told.ask !== undefined) void ask(told.ask);
    if (told.share !== undefined) share(told.share);
  });
  tell({ says: 'ready' });
}

main(process.argv[2]!, (what) => process.send?.(what));
