import { shown, type Config } from '@waybill/infra/config.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import { bad, good, skipped, warning, type Check } from './check.js';
import { withLog } from './stores.js';

const patienceMs = 1_500;
/** Clocks of machines are not kept closer together than that. */
const skewMs = 2_000;

export interface SeenEventStore {
  readonly version: string;
  readonly roundTripMs: number;
}

/** The server of the log, where the log is on one. */
export async function checkEventStore({ eventStore }: Config): Promise<readonly Check[]> {
  if (eventStore.kind === 'sqlite') return [skipped('event store', 'a file of the data folder')];
  const store = openEventStoreDb(eventStore.url, { patienceMs });
  try {
    // The first question connects. Only a server that answers is asked for its version, which waits for ever.
    await store.head();
    const asked = performance.now();
    await store.head();
    const roundTripMs = performance.now() - asked;
    return [judgeEventStore(shown(eventStore.url), { version: await store.serverVersion(), roundTripMs })];
  } finally {
    await store.close();
  }
}

export function judgeEventStore(address: string, { version, roundTripMs }: SeenEventStore): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const detail = `EventStoreDB ${version} at ${address}, ${roundTripMs.toFixed(1)} ms`;
  if (major < 22 || (major === 22 && minor < 6)) {
    return bad(
      'event store',
      `${detail}: too old, it does not say where an event is in the log.`,
      'Upgrade it to 22.6 or newer.',
    );
  }
  return good('event store', detail);
}

/** The clock that dates events against this machine's: what was recorded cannot be yet to come. */
export async function checkLogClock(config: Config, clock: Clock): Promise<readonly Check[]> {
  const last = await withLog(config, clock, (log) => log.readAllBackwards(Infinity, 1));
  const recordedAt = last?.[0]?.recordedAt;
  if (recordedAt === undefined) return [skipped('clock of the log', 'The log has no events yet.')];
  return [judgeAhead('clock of the log', Date.parse(recordedAt) - clock.now())];
}

/** `aheadMs`: by how much another clock is ahead of this machine's, at least. */
export function judgeAhead(name: string, aheadMs: number): Check {
  if (aheadMs <= skewMs) return good(name, 'not ahead of this machine');
  return warning(
    name,
    `is ${Math.round(aheadMs / 1000)} s ahead of this machine's: times recorded go backwards between them.`,
    'Set both by the same time servers (NTP).',
  );
}
