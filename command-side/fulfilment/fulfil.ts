import type { Agenda } from '@waybill/shared-kernel/agenda.js';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { NotFound, RuleViolated, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { FulfilmentEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Actor } from '@waybill/shared-kernel/message.js';
import { timestamp, type Clock, type Randomness, type Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { AggregateStreams, type Loaded } from '../aggregate-streams.js';
import type { StockKeeper } from '../catalogue/stock-keeper.js';
import { againOnConflict } from '../conflict.js';
import { delivery, type DeliveryCommand } from '../delivery/delivery.js';
import { envelopes, type Cause } from '../envelope.js';
import { order } from '../ordering/order.js';
import type { PaymentRequest } from '../payments/payment-request.js';
import type { AggregateSnapshots } from '../snapshots/aggregate-snapshots.js';
import { dueCommands, type FulfilmentCommand } from './due-commands.js';
import { react, type CommandOutcome, type Told } from './fulfilment.js';
import { deadlineOf } from './fulfilment-state.js';
import { fulfilmentStream, type Fulfilment, type FulfilmentHistory } from './fulfilment-stream.js';

export interface FulfilMeans {
  readonly store: Pick<EventStore, 'append' | 'readStream'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  /** Without them, long streams are read from their beginning. */
  readonly snapshots?: AggregateSnapshots | undefined;
  readonly stock: Pick<StockKeeper, 'reserve' | 'release'>;
  /** Asks without waiting; what comes of it comes along the log, or is asked for again. */
  readonly askPayment: (request: PaymentRequest) => void;
  /** Told how far each fulfilment has come. */
  readonly agenda: Pick<Agenda, 'note'>;
}

/** Asked where a fulfilment was suspended: whether it still is. */
export type MustWait = () => Promise<boolean>;

const kept = 5000;
const namespace = 'a7f4b4f2-2f4e-4f0c-8f43-7a3c3f6d9b02';

/**
 * Does what the process manager decides, for one partition. On the way of most orders little is read: what it sees and
 * appends itself it knows already, and what it assumes to be new it appends as new. Every event it appends has an id
 * that follows from its cause, so doing it again is known as such by the store, and an assumption that does not hold is
 * a conflict, upon which it reads and decides again. It must be the only one that works on its partition.
 */
export class Fulfiller {
  readonly #means: FulfilMeans;
  readonly #fulfilments: AggregateStreams<Parameters<typeof react>[0], Fulfilment, FulfilmentHistory>;
  readonly #orders;
  readonly #deliveries;
  /** Events up to here may have been worked on before this began. */
  #redoneUpTo = Infinity;

  constructor(means: FulfilMeans) {
    this.#means = means;
    this.#fulfilments = new AggregateStreams(means.store, 'fulfilment', fulfilmentStream, { keep: kept });
    this.#orders = new AggregateStreams(means.store, 'order', order, { keep: kept });
    this.#deliveries = new AggregateStreams(means.store, 'delivery', delivery, {
      keep: 100,
      snapshots: means.snapshots,
    });
  }

  /** What is handled from here on nobody has worked on before: the log ended at this position when it began. */
  beginAt(head: number): void {
    this.#redoneUpTo = head;
  }

  /**
   * Notes what an event means for the order it is about, and does what is due after it. Again does no harm. Where the
   * fulfilment was suspended, it asks whether the event has to wait: if so, nothing is done, and the answer is false.
   */
  async handle(orderId: string, event: KnownEvent, mustWait: MustWait): Promise<boolean> {
    if (event.stream === this.#orders.streamOf(orderId)) this.#orders.see(orderId, event);
    const { id, correlationId, traceparent, actor, position } = event;
    const loaded = this.#known(orderId, event) ?? (await this.#fulfilments.load(orderId));
    // Should it fail, it is worked on again.
    this.#redoneUpTo = Math.max(this.#redoneUpTo, position);
    return this.#tell(orderId, event, { id, correlationId, traceparent, actor }, loaded, mustWait);
  }

  /** Does what is due because a deadline has passed, if one has. False: the fulfilment is suspended. */
  async look(orderId: string, mustWait: MustWait): Promise<boolean> {
    const loaded = await this.#fulfilments.load(orderId);
    const id = uuidV5(`${orderId}@${loaded.revision}`, namespace);
    const cause = { id, correlationId: loaded.state.correlationId || id, traceparent: undefined, actor: undefined };
    return this.#tell(orderId, timePassed, cause, loaded, mustWait);
  }

  /**
   * The fulfilment, where it is known without reading. What its own stream tells was appended by somebody else, and
   * what may have been done before was done at another time than now, which the log knows.
   */
  #known(orderId: string, { stream, type, position }: KnownEvent): Loaded<Fulfilment> | undefined {
    if (stream === this.#fulfilments.streamOf(orderId)) return undefined;
    const seen = this.#fulfilments.lastSeen(orderId);
    const isNew = type === 'OrderPlaced' && position > this.#redoneUpTo;
    return seen === undefined && isNew ? this.#fulfilments.unwritten() : seen;
  }

  async #tell(
    orderId: string,
    told: Told,
    cause: Causing,
    loaded: Loaded<Fulfilment>,
    mustWait: MustWait,
  ): Promise<boolean> {
    try {
      const noted = await this.#note(orderId, told, cause, loaded, { mustWait });
      if (noted === undefined) return false;
      // When time has passed, what is due follows from what that led to.
      const [fact] = noted.facts;
      const due = told === timePassed ? fact : told;
      if (due === undefined) this.#tellAgenda(orderId, noted.loaded);
      else await this.#doWhatIsDue(orderId, due, cause, noted.loaded);
      return true;
    } catch (error) {
      // Whether an append that failed is in the log, and since when, the log knows.
      this.#fulfilments.forget(orderId);
      throw error;
    }
  }

  async #note(
    orderId: string,
    told: Told,
    cause: Causing,
    known: Loaded<Fulfilment>,
    { mustWait, from = 0 }: { readonly mustWait?: MustWait; readonly from?: number },
  ): Promise<{ readonly loaded: Loaded<Fulfilment>; readonly facts: readonly FulfilmentEvent[] } | undefined> {
    let loaded: Loaded<Fulfilment> | undefined = known;
    return againOnConflict(async () => {
      const current = loaded ?? (await this.#fulfilments.load(orderId));
      loaded = undefined;
      const { progress, wasSuspended } = current.state;
      if (wasSuspended && mustWait !== undefined && (await mustWait())) return undefined;
      const facts = react({ told, now: this.#means.clock.now() }, progress);
      if (facts.length === 0) return { loaded: current, facts };
      const events = envelopes(facts, orderId, this.#causeOf(cause, byItself), from);
      return { loaded: await this.#fulfilments.append(orderId, current, events), facts };
    }, this.#means);
  }

  /** Each command once; what comes of one at once may make others due. */
  async #doWhatIsDue(orderId: string, told: Told, cause: Causing, loaded: Loaded<Fulfilment>): Promise<void> {
    const done = new Set<string>();
    const tellings: Told[] = [told];
    let current = loaded;
    for (const telling of tellings) {
      for (const command of dueCommands(current.state.progress, telling)) {
        const what = command.type === 'RequestPayment' ? `${command.type} ${command.step}` : command.type;
        if (done.has(what)) continue;
        done.add(what);
        const outcome = await this.#carryOut(command, told, cause);
        if (outcome === undefined) continue;
        const from = firstIndex[outcome.type];
        current = (await this.#note(orderId, outcome, cause, current, { from }))?.loaded ?? current;
        tellings.push(outcome);
      }
    }
    this.#tellAgenda(orderId, current);
  }

  #tellAgenda(orderId: string, { state, revision }: Loaded<Fulfilment>): void {
    const { progress, since } = state;
    if (progress.status === 'none') return;
    const { name = null, dueAt = null } = deadlineOf(progress) ?? {};
    this.#means.agenda.note({ orderId, revision, state: progress.status, deadline: name, dueAt, since });
  }

  async #carryOut(command: FulfilmentCommand, told: Told, causing: Causing): Promise<CommandOutcome | undefined> {
    const { orderId } = command;
    const cause = this.#causeOf(causing, byItself);
    switch (command.type) {
      case 'ReserveStock': {
        const reservation = await this.#means.stock.reserve(orderId, command.items, cause);
        if ('refused' in reservation) {
          return { type: 'StockWasRefused', data: { productId: reservation.refused } };
        }
        return { type: 'StockWasReserved', data: { items: reservation.reserved } };
      }
      case 'ReleaseStock':
        await this.#means.stock.release(orderId, command.items, command.isCertain, cause);
        return { type: 'StockWasReleased', data: {} };
      case 'RequestPayment':
        await this.#askPayment(command, causing);
        return undefined;
      case 'CancelOrder':
        await this.#decide(this.#orders, orderId, command, this.#causeOf(causing, causing.actor));
        return undefined;
      case 'ConfirmOrder':
      case 'RejectOrder':
      case 'RecordDelivery':
      case 'RecordDeliveryFailure':
        await this.#decide(this.#orders, orderId, command, cause);
        return undefined;
      case 'ScheduleDelivery':
        await this.#schedule(orderId, command.deliveryId, cause);
        return undefined;
      case 'CancelDelivery':
        await this.#onDelivery({ ...command, reason: 'The order was cancelled.' }, cause);
        return undefined;
      case 'RecordPickUp':
        await this.#onDelivery(command, pickUpOf(told, cause));
        return undefined;
      default:
        return command satisfies never;
    }
  }

  async #askPayment(
    { orderId, step, amount, currency }: Extract<FulfilmentCommand, { type: 'RequestPayment' }>,
    { id: causationId, correlationId, traceparent }: Causing,
  ): Promise<void> {
    const { state } = this.#orders.lastSeen(orderId) ?? (await this.#orders.load(orderId));
    const token = state.status === 'none' ? null : state.paymentToken;
    const trace = { correlationId, causationId, traceparent: traceparent ?? null };
    this.#means.askPayment({ orderId, step, amount, currency, token, ...trace });
  }

  async #schedule(orderId: string, deliveryId: string, cause: Cause): Promise<void> {
    const { state } = this.#orders.lastSeen(orderId) ?? (await this.#orders.load(orderId));
    if (state.status === 'none') return;
    const { customerId, deliveryAddress: address, promisedBy } = state;
    const scheduled = { deliveryId, orderId, customerId, address, promisedBy };
    await this.#onDelivery({ type: 'ScheduleDelivery', deliveryId, orderId, delivery: scheduled }, cause);
  }

  #onDelivery(command: DeliveryCommand & OnDelivery, cause: Cause): Promise<void> {
    return this.#decide(this.#deliveries, command.deliveryId, command, cause);
  }

  /**
   * Decides on what was seen last, and anew on what the log says whenever that led to no append. A refusal ends it:
   * the event that is its reason is in the log and comes, or came, on its own.
   */
  async #decide<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    command: Command & Asking,
    cause: Cause,
  ): Promise<void> {
    const from = cause.request === undefined ? firstIndex[command.type] : 0;
    let loaded: Loaded<State> | undefined = streams.lastSeen(id) ?? streams.unwritten();
    const attempt = async (): Promise<boolean> => {
      const current = loaded ?? (await streams.load(id));
      loaded = undefined;
      const events = decideUnlessRefused(streams.decider, command, current.state);
      if (events.length === 0) return false;
      await streams.append(id, current, envelopes(events, command.orderId, cause, from));
      return true;
    };
    try {
      if (await attempt()) return;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
    await againOnConflict(attempt, this.#means);
  }

  #causeOf({ id, correlationId, traceparent }: Causing, actor: Actor | undefined): Cause {
    return { id, occurredAt: timestamp(this.#means.clock), correlationId, traceparent, actor, request: undefined };
  }
}

/** What the process manager does by itself has no actor. */
const byItself = undefined;

const timePassed: Told = { type: 'TimePassed', data: {} };

/** A command of the process manager to an aggregate of the order. */
type Asking = Pick<
  Exclude<FulfilmentCommand, { type: 'ReserveStock' | 'ReleaseStock' | 'RequestPayment' }>,
  'type' | 'orderId'
>;
type OnDelivery = Asking & { readonly deliveryId: string };

/** All that comes of one cause has ids of its own: the facts noted first count from 0, and these from here. */
const firstIndex: Readonly<Record<Asking['type'] | CommandOutcome['type'], number>> = {
  StockWasReserved: 10,
  StockWasRefused: 10,
  StockWasReleased: 20,
  ConfirmOrder: 30,
  RejectOrder: 31,
  CancelOrder: 32,
  RecordDelivery: 33,
  RecordDeliveryFailure: 34,
  ScheduleDelivery: 35,
  CancelDelivery: 36,
  RecordPickUp: 37,
};

type Causing = Pick<Cause, 'id' | 'correlationId' | 'traceparent' | 'actor'>;

/** The courier's own request, so that finishing the pick-up is the very event that the request would have led to. */
function pickUpOf(told: Told, cause: Cause): Cause {
  if (!('request' in told) || told.request === undefined) return cause;
  const { request, actor } = told as KnownEvent;
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
