import { steadyClock } from '@waybill/infra/clock/steady.js';
import { isEmbedded, type Config } from '@waybill/infra/process/config.js';
import { worklist, openStates } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { countOverdue } from '@waybill/command-side/fulfilment/worklist/worklist-figures.js';
import { LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  CollectionSpec,
  DegradedBy,
  CollectionCheckpoints,
  RelayCheckpoints,
  Collections,
  QuarantinedDocuments,
  DocumentLists,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { findMisfits, measureLag, type Lag, type Lags } from '@waybill/shared-kernel/subscriptions/measure-lag.js';
import { isByFault } from '@waybill/shared-kernel/stream-faults.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { cutText } from '@waybill/projections/quarantine/degraded-view.js';
import { bad, good, named, skipped, warning, type Check } from './check.js';
import { withLog, withReadModels } from './stores.js';

/** Behind by more than it takes under any load that is meant. */
const longSeconds = 60;
/** What counting may take. */
const countMs = 2_000;
/** The most that are counted. */
const mostQuarantined = 1_000;
const mostOverdue = 1_000;
/** Milliseconds by which a deadline may be over before it is worth a word: what is done about it is under way. */
const grace = 30_000;

/** How far relay and read models have come, and which orders wait. `isRunning`: whether anything moves them. */
export async function checkProgress(config: Config, clock: WallClock, isRunning: boolean): Promise<readonly Check[]> {
  const name = 'progress';
  const checks = await withLog(config, clock, (log) =>
    withReadModels(config, async (readStore, live) => {
      const moves = isRunning || !isEmbedded(config);
      return [
        ...(await lagOf(log, readStore, live, clock, moves)),
        ...(await quarantineOf(readStore, live)),
        await overdueIn(readStore, clock, moves),
      ];
    }),
  );
  return checks ?? [skipped(name, 'There is no log, or there are no read models, yet.')];
}

async function lagOf(
  log: LogReader,
  readStore: CollectionCheckpoints & RelayCheckpoints,
  live: readonly Projection[],
  clock: WallClock,
  moves: boolean,
): Promise<readonly Check[]> {
  const strangers = await findMisfits(live, { store: log, readStore });
  if (strangers.size > 0) return [...strangers].map(([whose, why]) => judgeMisfit(whose, why));
  try {
    return judgeLags(await measureLag(live, { store: hurried(log), readStore, clock }), moves);
  } catch (error) {
    if (!(error instanceof TooMany)) throw error;
    return [
      warning(
        'lag',
        `More is behind than can be counted in ${countMs / 1000} s.`,
        'waybill status counts it; is a projector running?',
      ),
    ];
  }
}

class TooMany extends Error {}

/** The log until time is up. */
function hurried(log: LogReader): LogReader {
  const until = steadyClock.now() + countMs;
  return {
    head: () => log.head(),
    recordAt: (position) => log.recordAt(position),
    readAll: (after, limit) => {
      if (steadyClock.now() > until) throw new TooMany();
      return log.readAll(after, limit);
    },
  };
}

export function judgeLags({ relay, projections }: Lags, moves: boolean): readonly Check[] {
  return [
    judgeLag('progress of relay', relay, moves),
    ...projections.map(({ name, version, ...lag }) => judgeLag(`progress of ${name}.v${version}`, lag, moves)),
  ];
}

function judgeMisfit(whose: string, why: string): Check {
  const what = `made from another log, or from a later state of this one: ${why}`;
  return bad(`progress of ${whose}`, what, LogMismatch.remedy);
}

function judgeLag(name: string, { lagEvents, lagSeconds }: Lag, moves: boolean): Check {
  if (lagEvents === 0) return good(name, 'up to date');
  const behind = `${lagEvents} events behind, the oldest ${Math.round(lagSeconds)} s old`;
  if (!moves) return skipped(name, `${behind}; it goes on when a server runs`);
  if (lagSeconds <= longSeconds) return good(name, behind);
  const process = name.endsWith('relay') ? 'relay' : 'projector';
  return warning(
    name,
    behind,
    `Is one running? Its log says what holds it up: npm start, or npm run start:${process}.`,
  );
}

async function quarantineOf(
  readStore: Collections & QuarantinedDocuments,
  live: readonly Projection[],
): Promise<readonly Check[]> {
  let count = 0;
  const marked: string[] = [];
  for (const { collection } of [...live, { collection: suspendedOrders }]) {
    if (!(await isMade(collection, readStore))) continue;
    const documents = await readStore.quarantined(collection, undefined, mostQuarantined);
    count += documents.length;
    for (const { key, degraded } of documents) {
      if (isByFault(degraded)) marked.push(`${collection.name} ${key}: ${formatMark(degraded)}`);
    }
  }
  if (count === 0) return [good('quarantine', 'empty')];
  return [
    warning(
      'quarantine',
      `${count} documents wait for somebody to look at the event they could not be given.`,
      'waybill quarantine list names them, waybill quarantine release folds them again.',
    ),
    ...(marked.length === 0 ? [] : [judgeMarks(marked)]),
  ];
}

function formatMark({ event, cut }: DegradedBy): string {
  if (cut !== undefined) return cutText(cut);
  return `revision ${event.revision} of ${event.stream}, position ${event.position}, cannot be read`;
}

/** `marked`: documents that stand still for what became of a stream, a sentence each without a full stop. */
export function judgeMarks(marked: readonly string[]): Check {
  return warning(
    'marked streams',
    named(marked),
    'Put back what is missing (from a backup, or the metadata of the stream), then: waybill quarantine release <key>.',
  );
}

async function overdueIn(readStore: Collections & DocumentLists, clock: WallClock, moves: boolean): Promise<Check> {
  const name = 'fulfilment';
  if (!(await isMade(worklist, readStore))) return skipped(name, 'It has not begun with any order yet.');
  const latest = epochMs(clock) - grace;
  const counts = openStates.map((state) => countOverdue(state, readStore, latest, mostOverdue));
  return judgeOverdue(
    (await Promise.all(counts)).reduce((sum, count) => sum + count, 0),
    moves,
  );
}

export function judgeOverdue(count: number, moves: boolean): Check {
  const name = 'fulfilment';
  if (count === 0) return good(name, 'nothing is overdue');
  const late = `${count} orders are past their deadline`;
  if (!moves) return skipped(name, `${late}; it goes on when a server runs`);
  return warning(
    name,
    `${late}, and nothing was done about it.`,
    'Is one running? Its log says what holds it up; waybill fulfilment list --overdue names them.',
  );
}

/** Whether anybody declared it: whoever looks makes nothing. */
async function isMade(collection: CollectionSpec, readStore: Collections): Promise<boolean> {
  try {
    await readStore.declare(collection);
    return true;
  } catch (error) {
    if (error instanceof Unavailable) return false;
    throw error;
  }
}
