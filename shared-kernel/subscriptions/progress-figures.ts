import type { CollectionSpec, QuarantinedDocuments } from '../ports/read-store.js';
import type { Lag } from './measure-lag.js';

// How far behind the log everything is, and what stands still. docs/operating.md names each figure.

export const progressMetrics = {
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
} as const satisfies Readonly<Record<string, { readonly help: string; readonly label?: ProgressLabel }>>;
export type ProgressMetric = keyof typeof progressMetrics;
export type ProgressLabel = 'projection' | 'state';

/** With the label of its metric, where that has one. */
export interface Figure extends Readonly<Partial<Record<ProgressLabel, string>>> {
  readonly name: ProgressMetric;
  readonly value: number;
}

/** Measures some figures; rejects where a store is down. */
export type Measure = () => Promise<readonly Figure[]>;

/** What is counted at most: what it costs to look is bounded. */
export const mostCounted = { events: 10_000, quarantined: 1_000, overdue: 1_000 };

export async function quarantinedIn(collection: CollectionSpec, readStore: QuarantinedDocuments): Promise<Figure> {
  const { length } = await readStore.quarantined(collection, undefined, mostCounted.quarantined);
  return { name: 'waybill_quarantined_documents', projection: collection.name, value: length };
}

export function lagFigures(of: 'relay' | 'projection', lag: Lag | undefined, projection?: string): readonly Figure[] {
  if (lag === undefined) return [];
  const labels = projection === undefined ? {} : { projection };
  return [
    { name: `waybill_${of}_lag_events`, ...labels, value: lag.lagEvents },
    { name: `waybill_${of}_lag_seconds`, ...labels, value: lag.lagSeconds },
  ];
}
