import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { NotFound, RuleViolated, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { eventIdOf } from '@waybill/shared-kernel/idempotency.js';
import { timestamp, type Clock, type Randomness, type Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { AggregateStreams, type Loaded } from '../aggregate-streams.js';
import { againOnConflict } from '../conflict.js';
import { delivery, type DeliveryCommand } from '../delivery/delivery.js';
import { envelopes, type Cause } from '../envelope.js';
import { order } from '../ordering/order.js';
import type { AggregateSnapshots } from '../snapshots/aggregate-snapshots.js';
import { dueCommands, react, type FulfilmentCommand, type FulfilmentState } from './fulfilment.js';
import { fulfilmentStream, type Fulfilment } from './fulfilment-stream.js';

export interface FulfilMeans {
  readonly store: Pick<EventStore, 'append' | 'readStream'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  /** Without them, long streams are read from their beginning. */
  readonly snapshots?: AggregateSnapshots;
}

const kept = 5000;

/**
 * Does what the process manager decides, for one partition. On the way of most orders nothing is read: what it sees
 * and appends itself it knows already, and what it assumes to be new it appends as new. Every event it appends has an
 * id that follows from its cause, so doing it again is known as such by the store, and an assumption that does not
 * hold is a conflict, upon which it reads and decides again. It must be the only one that works on its partition.
 */
export class Fulfiller {
  readonly #means: FulfilMeans;
  readonly #fulfilments: AggregateStreams<KnownEvent, Fulfilment, FulfilmentEvent | SuspensionEvent>;
  readonly #orders;
  readonly #deliveries;

  constructor(means: FulfilMeans) {
    this.#means = means;
    this.#fulfilments = new AggregateStreams(means.store, 'fulfilment', fulfilmentStream, { keep: kept });
    this.#orders = new AggregateStreams(means.store, 'order', order, { keep: kept });
    this.#deliveries = new AggregateStreams(means.store, 'delivery', delivery, {
      keep: 100,
      snapshots: means.snapshots,
    });
  }

  /**
   * Notes what an event of an order or its delivery means, and does what is due after it. Again does no harm. Where the
   * fulfilment was suspended, it asks whether the event has to wait: if so, nothing is done, and the answer is false.
   */
  async handle(orderId: string, event: KnownEvent, mustWait: () => Promise<boolean>): Promise<boolean> {
    if (event.stream === this.#orders.streamOf(orderId)) this.#orders.see(orderId, event);
    const cause = this.#causeOf(event, event.id);
    const progress = await this.#note(orderId, event, cause, mustWait);
    if (progress === undefined) return false;
    const next = { ...cause, id: eventIdOf(event.id, 0) };
    for (const command of dueCommands(progress, event)) await this.#carryOut(command, event, next);
    return true;
  }

  async #note(
    orderId: string,
    event: KnownEvent,
    cause: Cause,
    mustWait: () => Promise<boolean>,
  ): Promise<FulfilmentState | undefined> {
    const fulfilments = this.#fulfilments;
    let loaded = fulfilments.lastSeen(orderId);
    if (loaded === undefined && event.type === 'OrderPlaced') loaded = fulfilments.unwritten();
    return againOnConflict(async () => {
      const current = loaded ?? (await fulfilments.load(orderId));
      loaded = undefined;
      const { progress, wasSuspended } = current.state;
      if (wasSuspended && (await mustWait())) return undefined;
      const facts = react(progress, event);
      if (facts.length === 0) return progress;
      return (await fulfilments.append(orderId, current, envelopes(facts, orderId, cause))).state.progress;
    }, this.#means);
  }

  async #carryOut(command: FulfilmentCommand, event: KnownEvent, cause: Cause): Promise<void> {
    switch (command.type) {
      case 'ConfirmOrder':
      case 'RecordDelivery':
      case 'RecordDeliveryFailure':
        return this.#decide(this.#orders, command.orderId, command, command.orderId, cause);
      case 'ScheduleDelivery':
        return this.#schedule(command.orderId, command.deliveryId, cause);
      case 'CancelDelivery':
        return this.#onDelivery({ ...command, reason: 'The order was cancelled.' }, command.orderId, cause);
      case 'RecordPickUp':
        return this.#onDelivery(command, command.orderId, pickUpOf(event, cause));
      default:
        return command satisfies never;
    }
  }

  async #schedule(orderId: string, deliveryId: string, cause: Cause): Promise<void> {
    const { state } = this.#orders.lastSeen(orderId) ?? (await this.#orders.load(orderId));
    if (state.status === 'none') return;
    const { customerId, deliveryAddress: address, promisedBy } = state;
    const scheduled = { deliveryId, orderId, customerId, address, promisedBy };
    await this.#decide(this.#deliveries, deliveryId, { type: 'ScheduleDelivery', delivery: scheduled }, orderId, cause);
  }

  #onDelivery(
    command: Exclude<DeliveryCommand, { type: 'ScheduleDelivery' }>,
    orderId: string,
    cause: Cause,
  ): Promise<void> {
    return this.#decide(this.#deliveries, command.deliveryId, command, orderId, cause);
  }

  /**
   * Decides on what was seen last, and anew on what the log says whenever that led to no append. A refusal ends it:
   * the event that is its reason is in the log and comes, or came, on its own.
   */
  async #decide<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    command: Command,
    orderId: string,
    cause: Cause,
  ): Promise<void> {
    let loaded: Loaded<State> | undefined = streams.lastSeen(id) ?? streams.unwritten();
    const attempt = async (): Promise<boolean> => {
      const current = loaded ?? (await streams.load(id));
      loaded = undefined;
      const events = decideUnlessRefused(streams.decider, command, current.state);
      if (events.length === 0) return false;
      await streams.append(id, current, envelopes(events, orderId, cause));
      return true;
    };
    try {
      if (await attempt()) return;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
    await againOnConflict(attempt, this.#means);
  }

  #causeOf(event: KnownEvent, id: string): Cause {
    const { correlationId, traceparent } = event;
    const occurredAt = timestamp(this.#means.clock);
    return { id, occurredAt, correlationId, traceparent, actor: undefined, request: undefined };
  }
}

/** The courier's own request, so that finishing the pick-up is the very event that the request would have led to. */
function pickUpOf({ request, actor }: KnownEvent, cause: Cause): Cause {
  return request === undefined ? cause : { ...cause, id: request.id, actor, request };
}

function decideUnlessRefused<Command, State, Event extends DomainEvent>(
  { decide }: Decider<Command, State, Event>,
  command: Command,
  state: State,
): readonly Event[] {
  try {
    return decide(command, state);
  } catch (error) {
    if (error instanceof RuleViolated || error instanceof NotFound) return [];
    throw error;
  }
}
