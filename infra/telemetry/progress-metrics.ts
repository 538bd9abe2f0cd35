import { Gauge, type Registry } from 'prom-client';
import { worklist, openStates } from '@waybill/shared-kernel/worklist.js';
import { countOverdue, figuresByState } from '@waybill/shared-kernel/worklist-figures.js';
import {
  countedFrom,
  measureLagOf,
  projectionFollower,
  relayFollower,
  type Lag,
} from '@waybill/shared-kernel/measure-lag.js';
import { epochMs, type SteadyClock, type Timer, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { CollectionSpec, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { suspendedOrders } from '@waybill/shared-kernel/suspended-orders.js';
import { steadyClock } from '../clock/steady.js';

// How far behind the log everything is, and what stands still, measured when somebody asks. docs/operating.md names each.

const metrics = {
  waybill_relay_lag_events: { help: 'Events of the log that the relay has not given to the broker.' },
  waybill_relay_lag_seconds: { help: 'Age of the oldest of them.' },
  waybill_projection_lag_events: {
    help: 'Events of the log that are not in the read model that is read.',
    label: 'projection',
  },
  waybill_projection_lag_seconds: { help: 'Age of the oldest of them.', label: 'projection' },
  waybill_quarantined_documents: {
    help: 'Documents in quarantine now, by read model; orders that are held back: fulfilment.',
    label: 'projection',
  },
  waybill_fulfilment_orders: { help: 'Orders that are under way, by what they are at.', label: 'state' },
  waybill_fulfilment_overdue_orders: {
    help: 'Of those, the ones that are past their deadline by more than half a minute.',
    label: 'state',
  },
} as const satisfies Readonly<Record<string, { readonly help: string; readonly label?: Label }>>;
type Name = keyof typeof metrics;
type Label = 'projection' | 'state';

/** With the label of its metric, where that has one. */
export interface Figure extends Readonly<Partial<Record<Label, string>>> {
  readonly name: Name;
  readonly value: number;
}

/** Measures some figures; rejects where a store is down. */
export type Measure = () => Promise<readonly Figure[]>;

interface Stores {
  readonly store: Pick<EventStore, 'head' | 'readAll' | 'recordAt'>;
  readonly readStore: Pick<ReadStore, 'declare' | 'positions' | 'quarantined' | 'relayCheckpoint'>;
  readonly clock: WallClock;
}

/** What is counted at most, of events, of quarantined documents, and of what is overdue in a state: what it costs to look is bounded. */
const most = { events: 10_000, quarantined: 1_000, overdue: 1_000 };
/** Milliseconds by which a deadline may be over before it counts: what is done about it is under way. */
const grace = 30_000;
/** Milliseconds: for how long figures are passed on, and how long who asks for them waits. */
const fresh = 2_000;
const patience = 1_000;

export function measureRelay({ store, readStore, clock }: Stores): Measure {
  return async () => {
    const { positions } = await countedFrom(store, [await readStore.relayCheckpoint()]);
    const lag = await measureLagOf(relayFollower(positions[0]!), { store, clock }, most.events);
    return figuresOf('relay', lag);
  };
}

export type ReadModel = Pick<Projection, 'collection' | 'categories'>;

/** `live` answers with the versions that are read. */
export function measureReadModels(live: () => Promise<readonly ReadModel[]>, stores: Stores): Measure {
  const { store, readStore, clock } = stores;
  return async () => {
    const figures: Figure[] = [];
    for (const projection of await live()) {
      const { collection } = projection;
      const { positions } = await countedFrom(store, await readStore.positions(collection));
      const lag = await measureLagOf(projectionFollower(projection, positions), { store, clock }, most.events);
      figures.push(...figuresOf('projection', lag, collection.name), await quarantinedIn(collection, readStore));
    }
    return figures;
  };
}

export function measureSuspended({ readStore }: Pick<Stores, 'readStore'>): Measure {
  return async () => {
    await readStore.declare(suspendedOrders);
    return [await quarantinedIn(suspendedOrders, readStore)];
  };
}

export function measureFulfilment({ readStore, clock }: WorklistStores): Measure {
  return async () => {
    await readStore.declare(worklist);
    const now = epochMs(clock);
    const found = await figuresByState(readStore, now);
    const figures = openStates.map(async (state): Promise<readonly Figure[]> => {
      const { count = 0 } = found[state] ?? {};
      const overdue = count === 0 ? 0 : await countOverdue(state, readStore, now - grace, most.overdue);
      return [
        { name: 'waybill_fulfilment_orders', state, value: count },
        { name: 'waybill_fulfilment_overdue_orders', state, value: overdue },
      ];
    });
    return (await Promise.all(figures)).flat();
  };
}

interface WorklistStores {
  readonly readStore: Pick<ReadStore, 'declare' | 'groups' | 'list'>;
  readonly clock: WallClock;
}

async function quarantinedIn(collection: CollectionSpec, readStore: Pick<ReadStore, 'quarantined'>): Promise<Figure> {
  const { length } = await readStore.quarantined(collection, undefined, most.quarantined);
  return { name: 'waybill_quarantined_documents', projection: collection.name, value: length };
}

function figuresOf(of: 'relay' | 'projection', lag: Lag | undefined, projection?: string): readonly Figure[] {
  if (lag === undefined) return [];
  const labels = projection === undefined ? {} : { projection };
  return [
    { name: `waybill_${of}_lag_events`, ...labels, value: lag.lagEvents },
    { name: `waybill_${of}_lag_seconds`, ...labels, value: lag.lagSeconds },
  ];
}

/**
 * Has them in `registry` as gauges. They are measured when it is asked, at most every two seconds and one question of a
 * kind at a time; what cannot be had within a second is left out, and all else is told.
 */
export function tellFigures(
  registry: Registry,
  measures: readonly Measure[],
  timer: Timer,
  clock: SteadyClock = steadyClock,
): void {
  const shared = measures.map((measure) => lately(measure, timer, clock));
  for (const name of Object.keys(metrics) as Name[]) {
    const { help, label }: { readonly help: string; readonly label?: Label } = metrics[name];
    new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      async collect() {
        const found = await Promise.all(shared.map((measure) => measure()));
        this.reset();
        // One without labels is 0 then, which it may not be.
        if (label === undefined) this.remove();
        for (const figure of found.flat()) {
          if (figure.name !== name) continue;
          if (label === undefined) this.set(figure.value);
          else this.set({ [label]: figure[label] ?? '' }, figure.value);
        }
      },
    });
  }
}

/** Never rejects: no figures while there are none. */
function lately(measure: Measure, timer: Timer, clock: SteadyClock): () => Promise<readonly Figure[]> {
  let last: Promise<readonly Figure[]> = Promise.resolve([]);
  let until = -Infinity;

  function ask(): void {
    // Kept for as long as it takes, and a while after that.
    until = Infinity;
    last = measure()
      .catch(() => [])
      .finally(() => {
        until = clock.now() + fresh;
      });
  }

  return async () => {
    if (clock.now() >= until) ask();
    const answered = new AbortController();
    const late = timer.sleep(patience, answered.signal).then((): readonly Figure[] => []);
    const figures = await Promise.race([last, late]);
    answered.abort();
    return figures;
  };
}
