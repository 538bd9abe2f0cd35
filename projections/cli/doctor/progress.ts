import { isEmbedded, type Config } from '@waybill/infra/config.js';
import { agenda, openStates } from '@waybill/shared-kernel/agenda.js';
import { countOverdue } from '@waybill/shared-kernel/agenda-figures.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { isMadeFrom, otherLog } from '@waybill/shared-kernel/log-identity.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { CollectionSpec, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { measureLag, type Lag, type Lags } from '@waybill/shared-kernel/measure-lag.js';
import { suspendedOrders } from '@waybill/shared-kernel/suspended-orders.js';
import { bad, good, skipped, warning, type Check } from './check.js';
import { withLog, withReadModels } from './stores.js';

/** Behind by more than it takes under any load that is meant. */
const longSeconds = 60;
/** What counting may take. */
const countMs = 2_000;
/** More than so many are told as so many. */
const mostQuarantined = 1_000;
const mostOverdue = 1_000;
/** Milliseconds by which a deadline may be over before it is worth a word: what is done about it is under way. */
const grace = 30_000;

/** How far relay and read models have come, and which orders wait. `isRunning`: whether anything moves them. */
export async function checkProgress(config: Config, clock: Clock, isRunning: boolean): Promise<readonly Check[]> {
  const name = 'progress';
  const checks = await withLog(config, clock, (log) =>
    withReadModels(config, async (readStore, live) => {
      if (!(await isMadeFrom(log, readStore))) {
        return [bad('read models', otherLog, 'Do what it says; read models are made again from the log.')];
      }
      const moves = isRunning || !isEmbedded(config);
      return [
        ...(await lagOf(log, readStore, live, clock, moves)),
        await quarantineOf(readStore, live),
        await overdueIn(readStore, clock, moves),
      ];
    }),
  );
  return checks ?? [skipped(name, 'There is no log, or there are no read models, yet.')];
}

async function lagOf(
  log: EventStore,
  readStore: ReadStore,
  live: readonly Projection[],
  clock: Clock,
  moves: boolean,
): Promise<readonly Check[]> {
  try {
    return judgeLags(await measureLag(live, { store: hurried(log, clock), readStore, clock }), moves);
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
function hurried(log: EventStore, clock: Clock): Pick<EventStore, 'head' | 'readAll'> {
  const until = clock.now() + countMs;
  return {
    head: () => log.head(),
    readAll: (after, limit) => {
      if (clock.now() > until) throw new TooMany();
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

async function quarantineOf(readStore: ReadStore, live: readonly Projection[]): Promise<Check> {
  let count = 0;
  for (const { collection } of [...live, { collection: suspendedOrders }]) {
    if (!(await isMade(collection, readStore))) continue;
    count += (await readStore.quarantined(collection, undefined, mostQuarantined)).length;
  }
  if (count === 0) return good('quarantine', 'empty');
  return warning(
    'quarantine',
    `${count} documents wait for somebody to look at the event they could not be given.`,
    'waybill quarantine list names them, waybill quarantine release folds them again.',
  );
}

async function overdueIn(readStore: ReadStore, clock: Clock, moves: boolean): Promise<Check> {
  const name = 'fulfilment';
  if (!(await isMade(agenda, readStore))) return skipped(name, 'It has not begun with any order yet.');
  const latest = clock.now() - grace;
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
async function isMade(collection: CollectionSpec, readStore: ReadStore): Promise<boolean> {
  try {
    await readStore.declare(collection);
    return true;
  } catch (error) {
    if (error instanceof Unavailable) return false;
    throw error;
  }
}
