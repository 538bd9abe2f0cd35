import { shown, type Config } from '@waybill/infra/process/config.js';
import { openEventStoreDb } from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { StreamMark, StreamCuts, BackwardsLogReader } from '@waybill/shared-kernel/ports/event-store.js';
import { faultOf, type StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { lastEvent, readLogBackwards } from '@waybill/shared-kernel/read-stream.js';
import { bad, good, named, skipped, warning, type Check } from './check.js';
import { withLog } from './stores.js';

const answerTimeoutMs = 1_500;
/** Clocks of machines are not kept closer together than that. */
const skewMs = 2_000;
/** What looking through the log may take. */
const lookMs = 1_000;
/** The name of that check. */
const eventsName = 'events of the log';

export interface SeenEventStore {
  readonly version: string;
  readonly roundTripMs: number;
}

/** The server of the log, where the log is on one. */
export async function checkEventStore({ eventStore }: Config): Promise<readonly Check[]> {
  if (eventStore.kind === 'sqlite') return [skipped('event store', 'a file of the data folder')];
  const store = openEventStoreDb(eventStore.url, { answerTimeoutMs });
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
export async function checkLogClock(config: Config, clock: WallClock): Promise<readonly Check[]> {
  const last = await withLog(config, clock, (log) => lastEvent(log));
  const recordedAt = last?.recordedAt;
  if (recordedAt === undefined) return [skipped('clock of the log', 'The log has no events yet.')];
  return [judgeAhead('clock of the log', Date.parse(recordedAt) - epochMs(clock))];
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

/** The end of the log, as far back as one comes in a moment: what cannot be read there may not have been met yet. */
export async function checkEvents(config: Config, clock: WallClock): Promise<readonly Check[]> {
  const check = await withLog(config, clock, (log) => lookThrough(log));
  return [check ?? skipped(eventsName, 'There is no log yet.')];
}

async function lookThrough(log: StreamCuts & BackwardsLogReader): Promise<Check> {
  const until = steadyClock.now() + lookMs;
  const faults: StreamFault[] = [];
  const threats: StreamMark[] = [];
  /** Streams whose metadata were met: backwards the first are those that count. */
  const met = new Set<string>();
  let events = 0;
  let isAll = false;
  for await (const { events: some, marks, isEnd } of readLogBackwards(log)) {
    events += some.length;
    for (const mark of marks) {
      const fault = await faultOf(log, mark);
      if (fault !== undefined) faults.push(fault);
      else if (mark.losesEvents === true && !met.has(mark.stream)) threats.push(mark);
      if (mark.why === 'metadata') met.add(mark.stream);
    }
    isAll = isEnd;
    if (steadyClock.now() > until) break;
  }
  return judgeLog(events, isAll, faults, threats);
}

/**
 * `events`: so many can be read. `isAll`: the whole log was looked through, not its end alone. `threats`: streams that are
 * whole and will not stay so.
 */
export function judgeLog(
  events: number,
  isAll: boolean,
  faults: readonly Pick<StreamFault, 'message'>[],
  threats: readonly Pick<StreamMark, 'stream' | 'detail'>[] = [],
): Check {
  if (faults.length === 0 && threats.length > 0) {
    return warning(
      eventsName,
      named(threats.map(({ stream, detail }) => `${stream} will lose events: ${detail.replace(/\.$/, '')}`)),
      'Take it back in the metadata of the stream ($maxCount, $maxAge) before it has cut anything.',
    );
  }
  if (faults.length === 0)
    return good(eventsName, isAll ? `all can be read: ${events}` : `the last ${events} can be read`);
  return warning(
    eventsName,
    named(faults.map(({ message }) => message.replace(/\.$/, ''))),
    'Put back what is missing from a backup. waybill audit verify looks through all of the log and names each.',
  );
}
