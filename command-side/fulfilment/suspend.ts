import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import type { FulfilmentSuspended } from '@waybill/shared-kernel/events/fulfilment.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import { eventIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { EventData, NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/quarantine-notice.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { noteSuspension, suspendedOrders } from '@waybill/shared-kernel/suspended-orders.js';
import { isSuspended, readSuspensions, type Suspensions } from '@waybill/shared-kernel/suspension.js';
import { toldError } from '@waybill/shared-kernel/told-error.js';
import { againOnConflict } from '../conflict.js';
import { Fulfiller, type FulfilMeans } from './fulfil.js';
import { orderConcerned } from './fulfilment.js';
import { passingFault, withLogFaults } from './passing-fault.js';

export interface SuspendMeans extends FulfilMeans {
  /** Holds the list of those that are suspended. */
  readonly readStore: Pick<ReadStore, 'load' | 'commit'>;
  /** Told of each order that is suspended. */
  readonly quarantined?: ReportQuarantine | undefined;
}

/** Tells it from the facts that follow from the same cause, which are few. */
const suspensionIndex = 1_000_000;

/**
 * The events of orders of one partition, each handled by the `Fulfiller`. One that cannot be handled, and would not the
 * next time, suspends the fulfilment of its order and of no other: that is said in the fulfilment's own stream,
 * conditionally on its revision, before the position moves. The order's later events pass, and the log holds them.
 *
 * `FulfilmentResumed` comes along the log as they do, so it stands behind all that had to wait and before all that has
 * not: it has the order handled again from the event at which it stands up to here, in the order of the log. What was
 * done then is known as done, as after any crash.
 */
export class SuspendingFulfiller {
  readonly #means: SuspendMeans;
  readonly #fulfiller: Fulfiller;
  /** Orders of which the fulfiller need not have seen that they were suspended. */
  readonly #suspects = new Set<string>();

  constructor(means: SuspendMeans) {
    this.#means = means;
    this.#fulfiller = new Fulfiller({ ...means, store: withLogFaults(means.store) });
  }

  /** The log ended here when this began: what is behind it nobody has worked on before. */
  beginAt(head: number): void {
    this.#fulfiller.beginAt(head);
  }

  /** Rejects with what may pass. */
  async handle(orderId: string, event: RecordedEvent): Promise<void> {
    if (event.type === 'FulfilmentResumed') await this.#resume(orderId, event);
    else await this.#attempt(orderId, event, event);
  }

  /** Does what is due because a deadline of an order has passed. Rejects as `handle` does. */
  async look(orderId: string): Promise<void> {
    const head = { position: Infinity };
    try {
      const mustWait = () => this.#mustWait(orderId, head);
      if (this.#suspects.has(orderId) && (await mustWait())) return;
      await this.#fulfiller.look(orderId, mustWait);
    } catch (error) {
      const passing = passingFault(error);
      if (passing !== undefined) throw passing.fault;
      // It is the last event of its stream, whichever that is, that it cannot go on from.
      const { revision } = await readSuspensions(this.#means.store, orderId);
      const [last] = await this.#means.store.readStream(streamName('fulfilment', orderId), revision, 1);
      if (last !== undefined) await this.#suspend(orderId, last, last, error);
    }
  }

  /** False: the order stands still. `at`: the event on whose account it is handled. */
  async #attempt(orderId: string, event: RecordedEvent, at: RecordedEvent): Promise<boolean> {
    const mustWait = () => this.#mustWait(orderId, at);
    try {
      if (this.#suspects.has(orderId) && (await mustWait())) return false;
      const known = upcast(event);
      if (!('orderId' in known.data) || known.data.orderId !== orderId) {
        throw new Error('The event does not name the order that it is about.');
      }
      return await this.#fulfiller.handle(orderId, known, mustWait);
    } catch (error) {
      const passing = passingFault(error);
      if (passing !== undefined) throw passing.fault;
      await this.#suspend(orderId, event, at, error);
      return false;
    }
  }

  async #mustWait(orderId: string, at: Pick<RecordedEvent, 'position'>): Promise<boolean> {
    // Read anew each time: if it still is suspended then, what ends that comes after this event, and sees to it.
    const suspensions = await readSuspensions(this.#means.store, orderId);
    if (!isSuspended(suspensions, at.position)) return false;
    await this.#keepListed(orderId, suspensions);
    return true;
  }

  async #suspend(orderId: string, event: RecordedEvent, at: RecordedEvent, error: unknown): Promise<void> {
    this.#suspects.add(orderId);
    const { store } = this.#means;
    const isNew = await againOnConflict(async () => {
      const suspensions = await readSuspensions(store, orderId);
      if (isSuspended(suspensions, at.position)) return false;
      await store.append(streamName('fulfilment', orderId), suspensions.revision, [
        this.#suspended(orderId, event, at, error),
      ]);
      return true;
    }, this.#means);
    const suspensions = await readSuspensions(store, orderId);
    await this.#keepListed(orderId, suspensions, toldError(error));
    if (!isNew) return;
    const { id, stream, type } = event;
    const notice = { projection: suspendedOrders.name, key: orderId, event: { id, stream, type } };
    this.#means.quarantined?.({ ...notice, error: toldError(error) });
  }

  #suspended(orderId: string, event: RecordedEvent, at: RecordedEvent, error: unknown): NewEvent {
    const { id: eventId, type: eventType, stream, revision, correlationId, traceparent } = event;
    const name = error instanceof Error ? error.name : typeof error;
    const data: FulfilmentSuspended = { orderId, eventId, eventType, stream, revision, error: name };
    return {
      id: eventIdOf(at.id, suspensionIndex),
      type: 'FulfilmentSuspended',
      schemaVersion: currentVersions.FulfilmentSuspended,
      occurredAt: timestamp(this.#means.clock),
      correlationId,
      causationId: at.id,
      partitionKey: orderId,
      ...(traceparent !== undefined && { traceparent }),
      data: data as FulfilmentSuspended & EventData,
    };
  }

  async #resume(orderId: string, resumed: RecordedEvent): Promise<void> {
    this.#suspects.add(orderId);
    if (await this.#mustWait(orderId, resumed)) return;
    for (const event of await this.#waiting(orderId, resumed)) {
      if (!(await this.#attempt(orderId, event, resumed))) return;
    }
    this.#suspects.delete(orderId);
    await this.#keepListed(orderId, await readSuspensions(this.#means.store, orderId));
  }

  /** From the event at which it stands up to where it was resumed, in the order of the log. */
  async #waiting(orderId: string, resumed: RecordedEvent): Promise<readonly RecordedEvent[]> {
    const { store } = this.#means;
    const events: RecordedEvent[] = [];
    for (const stream of streamsOf(orderId)) {
      for await (const event of readWholeStream(store, stream)) {
        if (event.position < resumed.position && orderConcerned(event) === orderId) events.push(event);
      }
    }
    events.sort((one, other) => one.position - other.position);
    let suspended: string | undefined;
    for await (const { type, data, revision } of readWholeStream(store, streamName('fulfilment', orderId))) {
      if (revision >= resumed.revision) break;
      if (type === 'FulfilmentSuspended') suspended = String(data['eventId']);
    }
    // Where it is none of these, from the beginning: what was done is known as done.
    return events.slice(
      Math.max(
        0,
        events.findIndex(({ id }) => id === suspended),
      ),
    );
  }

  async #keepListed(orderId: string, { last }: Suspensions, error?: string): Promise<void> {
    if (last !== undefined) await noteSuspension(orderId, last, this.#means, error);
  }
}

/** The streams of an order whose events are handled. */
function streamsOf(orderId: string): readonly string[] {
  return [
    streamName('order', orderId),
    streamName('payment', orderId),
    streamName('delivery', deliveryIdOf(orderId)),
    streamName('fulfilment', orderId),
  ];
}
