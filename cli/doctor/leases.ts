import { existsSync } from 'node:fs';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemTimer } from '@waybill/infra/clock/system.js';
import { dataFiles, isEmbedded, type Config } from '@waybill/infra/process/config.js';
import { openMongoDbLeaseStore } from '@waybill/infra/lease/mongodb/lease-store.js';
import { openSqliteLeaseStore } from '@waybill/infra/lease/sqlite/lease-store.js';
import { partitionTuning } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Lease, LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import { good, skipped, warning, type Check } from './check.js';

/** Whose holder is gone is seen by its lease standing still for as long as it was taken for; here time goes quicker. */
const watchMs = 1_800;
const hurried: SteadyClock = { now: () => (steadyClock.now() * partitionTuning.ttl * 1.1) / watchMs };

/** Who works on what, of those that divide the work among them. */
export async function checkLeases(config: Config): Promise<readonly Check[]> {
  if (isEmbedded(config)) return [skipped('leases', 'One process does everything.')];
  const store = openLeases(config);
  if (store === undefined) return [skipped('leases', 'No process has taken any yet.')];
  try {
    await store.held('');
    await systemTimer.sleep(watchMs);
    return judgeLeases(await store.held(''));
  } finally {
    await store.close();
  }
}

function openLeases({ readStore, dataFolder }: Config): LeaseStore | undefined {
  if (readStore.kind === 'mongodb') return openMongoDbLeaseStore({ url: readStore.url }, hurried);
  const { leases } = dataFiles(dataFolder);
  return existsSync(leases) ? openSqliteLeaseStore(leases, hurried) : undefined;
}

const groups = { relay: 1, projector: partitionCount, fulfilment: partitionCount } as const;

export function judgeLeases(held: readonly Lease[]): readonly Check[] {
  return Object.entries(groups).map(([group, partitions]) => {
    const work = held.filter(({ name }) => name.startsWith(`${group}/partition/`));
    const there = held.filter(({ name }) => name.startsWith(`${group}/seat/`)).length;
    const name = `running ${group}`;
    const start = `npm run start:${group}`;
    if (there === 0 && work.length === 0) return warning(name, 'None.', `Start one: ${start}.`);
    if (work.length < partitions) {
      return warning(
        name,
        `${there} running, and ${partitions - work.length} of ${partitions} partitions are nobody's.`,
        'They are taken within some seconds; look again, and at the log of the processes.',
      );
    }
    return good(
      name,
      partitions === 1 ? `${there} running, ${work[0]!.owner} leads` : `${there} running, ${sharesOf(work)}`,
    );
  });
}

function sharesOf(work: readonly Lease[]): string {
  const shares = new Map<string, number>();
  for (const { owner } of work) shares.set(owner, (shares.get(owner) ?? 0) + 1);
  return `with ${[...shares.values()].sort((a, b) => b - a).join(' + ')} partitions`;
}
