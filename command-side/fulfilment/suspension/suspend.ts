import { StreamCut } from '@waybill/shared-kernel/errors.js';
import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import type { FulfilmentSuspended } from '@waybill/shared-kernel/events/fulfilment.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { EventData, NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import type { DocumentStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { ReportQuarantine } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf, streamName } from '@waybill/shared-kernel/stream.js';
import {
  isStreamFault,
  whatCanBeRead,
  type StreamFault,
  type StreamInDoubt,
} from '@waybill/shared-kernel/stream-faults.js';
import { noteFault, noteSuspension } from './note-suspension.js';
import { suspendedOrders } from './suspended-orders.js';
import { isSuspended, readSuspensions, type Suspensions } from './suspension.js';
import { describeError } from '@waybill/shared-kernel/describe-error.js';
import { traceparentFrom } from '@waybill/shared-kernel/traceparent.js';
import { appendSurely } from '../../handling/append-surely.js';
import { againOnConflict } from '../../handling/conflict.js';
import { ProcessManager, type ProcessManagerDependencies, type MustWait } from '../process-manager.js';
import { orderConcerned } from '../fulfilment.js';
import { streamsOfOthers, type Judging } from '../judging.js';
import { passingFault, withLogFaults } from '../passing-fault.js';

export interface SuspendDependencies extends ProcessManagerDependencies {
  /** Holds the list of those that are suspended. */
  readonly readStore: DocumentStore;
  /** Told of each order that is suspended. */
  readonly quarantined?: ReportQuarantine | undefined;
}

/**
 * Handles the events of one partition's orders by the `ProcessManager`. An event that can never be handled suspends the
 * fulfilment of its order alone. `FulfilmentSuspended` is appended to the fulfilment's own stream, on condition of its
 * revision, before the position moves. Later events of the order are passed over; the log keeps them.
 *
 * `FulfilmentResumed` comes along the log: every event before it had to wait, no event after it does. So it has the
 * order handled again from the event that suspended it up to here, in the order of the log. What was done before is a
 * no-op, as after any crash.
 */
export class SuspendingProcessManager {
  readonly #dependencies: SuspendDependencies;
  readonly #manager: ProcessManager;
  /** Orders whose suspension the process manager may not have seen. */
  readonly #suspects = new Set<string>();

  constructor(dependencies: SuspendDependencies) {
    this.#dependencies = dependencies;
    this.#manager = new ProcessManager({ ...dependencies, store: withLogFaults(dependencies.store) });
  }

  /** The log ended here when this began: nobody has handled later events. */
  beginAt(head: number): void {
    this.#manager.beginAt(head);
  }

  /** Rejects with passing faults only. */
  async handle(orderId: string, event: RecordedEvent): Promise<void> {
    if (event.type !== 'FulfilmentResumed') {
      await this.#attempt(orderId, event, event);
      return;
    }
    try {
      await this.#resume(orderId, event);
    } catch (error) {
      if (!isStreamFault(error)) throw error;
      // What waits cannot be read, or the fulfilment's own stream was cut since.
      await this.#unlessCut(orderId, () => this.#suspend(orderId, event, event, error));
    }
  }

  /** Does what is due because a deadline of an order has passed. Rejects as `handle` does. */
  look(orderId: string, judging: Judging): Promise<void> {
    return this.#unlessSuspended(orderId, (mustWait) => this.#manager.look(orderId, judging, mustWait));
  }

  /** Requests again the payment that an order waits for. Rejects as `handle` does. */
  askAgain(orderId: string): Promise<void> {
    return this.#unlessSuspended(orderId, (mustWait) => this.#manager.askAgain(orderId, mustWait));
  }

  async #unlessSuspended(orderId: string, work: (mustWait: MustWait) => Promise<unknown>): Promise<void> {
    const head = { position: Infinity };
    try {
      const mustWait = () => this.#mustWait(orderId, head);
      if (this.#suspects.has(orderId) && (await mustWait())) return;
      await work(mustWait);
    } catch (error) {
      const passing = passingFault(error);
      if (passing !== undefined) throw passing.fault;
      await this.#unlessCut(orderId, async () => {
        // It is the last event of its stream, whichever that is, that it cannot go on from.
        const { revision } = await readSuspensions(this.#dependencies.store, orderId);
        const [last] = await this.#dependencies.store.readStream(streamName('fulfilment', orderId), revision, 1);
        if (last !== undefined) await this.#suspend(orderId, last, last, error);
      });
    }
  }

  /** Marks the orders whose fulfilment stream cannot be continued. Rejects as `handle` does. */
  async doubt(streams: readonly StreamInDoubt[]): Promise<void> {
    for (const { stream, partitionKey, fault } of streams) {
      if (categoryOf(stream) !== 'fulfilment' || (await this.#isOfNobody(partitionKey, fault))) continue;
      await this.#noteFault(partitionKey, fault);
    }
  }

  /** A stream of which nothing is left may be another program's: an order says that it is not. */
  async #isOfNobody(orderId: string, fault: StreamFault): Promise<boolean> {
    if (!(fault instanceof StreamCut) || fault.firstRevision !== undefined) return false;
    const { events, fault: another } = await whatCanBeRead(this.#dependencies.store, streamName('order', orderId));
    return events.length === 0 && another === undefined;
  }

  /** If the fulfilment's stream takes no more events, only the list says that the order is suspended. */
  async #unlessCut(orderId: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isStreamFault(error)) throw error;
      await this.#noteFault(orderId, error);
    }
  }

  async #noteFault(orderId: string, fault: StreamFault): Promise<void> {
    this.#suspects.add(orderId);
    if ((await noteFault(orderId, fault, this.#dependencies)) === 'known') return;
    const event = { id: '', stream: fault.stream, type: '' };
    this.#dependencies.quarantined?.({
      projection: suspendedOrders.name,
      key: orderId,
      event,
      error: describeError(fault),
    });
  }

  /** Brings the worklist up to the fulfilment, as far as that can be read. Rejects as `handle` does. */
  async keepListed(orderId: string): Promise<void> {
    try {
      await this.#manager.keepListed(orderId);
    } catch (error) {
      const passing = passingFault(error);
      if (passing !== undefined) throw passing.fault;
    }
  }

  /** False: the order is suspended. `at`: the event that is being handled. */
  async #attempt(orderId: string, event: RecordedEvent, at: RecordedEvent): Promise<boolean> {
    const mustWait = () => this.#mustWait(orderId, at);
    try {
      if (this.#suspects.has(orderId) && (await mustWait())) return false;
      // It was placed where an order had been that was deleted from the log.
      if (event.type === 'OrderPlaced' && event.revision > 0) throw new StreamCut(event.stream, event.revision);
      const known = upcast(event);
      if (!('orderId' in known.data) || known.data.orderId !== orderId) {
        throw new Error('The event does not name the order that it is about.');
      }
      return await this.#manager.handle(orderId, known, mustWait);
    } catch (error) {
      const passing = passingFault(error);
      if (passing !== undefined) throw passing.fault;
      await this.#unlessCut(orderId, () => this.#suspend(orderId, event, at, error));
      return false;
    }
  }

  async #mustWait(orderId: string, at: Pick<RecordedEvent, 'position'>): Promise<boolean> {
    // Read anew each time: if it still is suspended then, what ends that comes after this event, and sees to it.
    const suspensions = await readSuspensions(this.#dependencies.store, orderId);
    if (!isSuspended(suspensions, at.position)) return false;
    await this.#keepListed(orderId, suspensions);
    return true;
  }

  async #suspend(orderId: string, event: RecordedEvent, at: RecordedEvent, error: unknown): Promise<void> {
    this.#suspects.add(orderId);
    const { store } = this.#dependencies;
    const isNew = await againOnConflict(async () => {
      const suspensions = await readSuspensions(store, orderId);
      if (isSuspended(suspensions, at.position)) return false;
      const occurredAt = notBefore(timestamp(this.#dependencies.clock), at.occurredAt, suspensions.occurredAt);
      await appendSurely(store, streamName('fulfilment', orderId), suspensions.revision, [
        { ...this.#suspended(orderId, event, at, error), occurredAt },
      ]);
      return true;
    }, this.#dependencies);
    const suspensions = await readSuspensions(store, orderId);
    await this.#keepListed(orderId, suspensions, describeError(error));
    if (!isNew) return;
    const { id, stream, type } = event;
    const notice = { projection: suspendedOrders.name, key: orderId, event: { id, stream, type } };
    this.#dependencies.quarantined?.({ ...notice, error: describeError(error) });
  }

  #suspended(orderId: string, event: RecordedEvent, at: RecordedEvent, error: unknown): Omit<NewEvent, 'occurredAt'> {
    const { id: eventId, type: eventType, stream, revision, correlationId } = event;
    const traceparent = event.traceparent === undefined ? undefined : traceparentFrom(event.traceparent);
    const name = error instanceof Error ? error.name : typeof error;
    const data: FulfilmentSuspended = { orderId, eventId, eventType, stream, revision, error: name };
    return {
      id: this.#dependencies.randomness.uuid(),
      type: 'FulfilmentSuspended',
      schemaVersion: currentVersions.FulfilmentSuspended,
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
    await this.#keepListed(orderId, await readSuspensions(this.#dependencies.store, orderId));
  }

  /** Its events from the one that suspended it up to where it was resumed, in the order of the log. */
  async #waiting(orderId: string, resumed: RecordedEvent): Promise<readonly RecordedEvent[]> {
    const { store } = this.#dependencies;
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
    // If it is none of these, from the beginning: what was done before is a no-op.
    return events.slice(
      Math.max(
        0,
        events.findIndex(({ id }) => id === suspended),
      ),
    );
  }

  async #keepListed(orderId: string, { last }: Suspensions, error?: string): Promise<void> {
    if (last !== undefined) await noteSuspension(orderId, last, this.#dependencies, error);
  }
}

/** The streams of an order whose events are handled. */
function streamsOf(orderId: string): readonly string[] {
  return [...streamsOfOthers(orderId), streamName('fulfilment', orderId)];
}
