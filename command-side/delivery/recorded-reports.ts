import { LRUCache } from 'lru-cache';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Actor } from '@waybill/shared-kernel/message.js';
import { courierOf, delivery, type DeliveryHistory, type DeliveryState } from './delivery.js';
import { secondOf } from './reports.js';

/** A position report as the log has it. */
export interface RecordedReport {
  /** When the courier was there, RFC 3339 UTC with milliseconds. */
  readonly at: string;
  readonly actor: Actor | undefined;
  readonly revision: number;
  readonly position: number;
  /** Who had the delivery then; `null`: nobody. */
  readonly courierId: string | null;
  /** The delivery as it stood then, but for its reports. */
  readonly state: DeliveryState;
}

/** The reports of one delivery up to an event. */
interface ReportIndex {
  readonly bySecond: Map<string, RecordedReport[]>;
  size: number;
  state: DeliveryState;
  last: Pick<KnownEvent, 'id' | 'revision'> | undefined;
}

/** The events of a delivery from a revision on. */
export type EventsOf = (deliveryId: string, from: number) => AsyncIterable<KnownEvent>;

/**
 * Which reports the logs of deliveries have, by their second. A stream is read whole once; for the next report only what
 * came after it is read, so a courier's whole queue that comes again costs no more than its first. As many reports are
 * kept as were asked for last.
 */
export class RecordedReports {
  readonly #eventsOf: EventsOf;
  readonly #kept: LRUCache<string, ReportIndex>;
  readonly #looks = new Map<string, Promise<ReportIndex>>();

  constructor(eventsOf: EventsOf, { keep = 200_000 }: { readonly keep?: number } = {}) {
    this.#eventsOf = eventsOf;
    this.#kept = new LRUCache({ maxSize: keep, sizeCalculation: ({ size }) => size + 1 });
  }

  /** Those of the same second, in the order of the log. */
  async at(deliveryId: string, at: string): Promise<readonly RecordedReport[]> {
    // One look after the other: two that note the same events would note them twice.
    const before = this.#looks.get(deliveryId);
    const look = (before ?? Promise.resolve()).then(
      () => this.#upToDate(deliveryId),
      () => this.#upToDate(deliveryId),
    );
    this.#looks.set(deliveryId, look);
    try {
      return (await look).bySecond.get(secondOf(at)) ?? [];
    } finally {
      if (this.#looks.get(deliveryId) === look) this.#looks.delete(deliveryId);
    }
  }

  async #upToDate(deliveryId: string): Promise<ReportIndex> {
    const kept = this.#kept.get(deliveryId);
    this.#kept.delete(deliveryId);
    const index = (kept && (await this.#readOn(deliveryId, kept))) ?? (await this.#readOn(deliveryId, emptyIndex()))!;
    this.#kept.set(deliveryId, index);
    return index;
  }

  /** `undefined`: the log no longer has the event that this ends with. An older one was restored. */
  async #readOn(deliveryId: string, index: ReportIndex): Promise<ReportIndex | undefined> {
    const { last } = index;
    let isBorneOut = last === undefined;
    for await (const event of this.#eventsOf(deliveryId, last?.revision ?? 0)) {
      if (isBorneOut) note(index, event);
      else if (event.id === last?.id) isBorneOut = true;
      else return undefined;
    }
    return isBorneOut ? index : undefined;
  }
}

function emptyIndex(): ReportIndex {
  return { bySecond: new Map(), size: 0, state: delivery.initialState, last: undefined };
}

function note(index: ReportIndex, event: KnownEvent): void {
  const { id, type, data, actor, revision, position } = event;
  index.last = { id, revision };
  if (type !== 'DeliveryPositionReported') {
    // A stream holds the events of its category and no others.
    index.state = delivery.evolve(index.state, event as KnownEvent & DeliveryHistory);
    return;
  }
  const { state } = index;
  const courierId = state.status === 'none' ? null : courierOf(state);
  const report = { at: data.at, actor, revision, position, courierId, state };
  const second = secondOf(data.at);
  const others = index.bySecond.get(second);
  if (others === undefined) index.bySecond.set(second, [report]);
  else others.push(report);
  index.size += 1;
}
