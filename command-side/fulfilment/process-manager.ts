import { sectionOf } from './worklist/worklist.js';
import type { WorklistWriter } from './worklist/worklist-writer.js';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { NotFound, RuleViolated, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { FulfilmentEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Actor } from '@waybill/shared-kernel/message.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { epochMs, type Randomness, type Timer } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { uuidV5 } from '@waybill/shared-kernel/uuid-v5.js';
import { AggregateStreams, type AggregateLog, type Loaded } from '../handling/aggregate-streams.js';
import type { Since, StockKeeper } from '../catalogue/stock-keeper.js';
import { againOnConflict } from '../handling/conflict.js';
import { delivery, type DeliveryCommand } from '../delivery/delivery.js';
import { envelopes, type Cause } from '../handling/envelope.js';
import { order } from '../ordering/order.js';
import type { PaymentRequest } from '../payments/payment-request.js';
import type { AggregateSnapshots } from '../handling/snapshots/aggregate-snapshots.js';
import type { BelievedTime } from './deadlines/believed-time.js';
import { dueCommands, type FulfilmentCommand } from './due-commands.js';
import { react, type CommandOutcome, type Notice, type ManagerInput } from './fulfilment.js';
import { fulfilmentStream, type Fulfilment, type FulfilmentHistory } from './fulfilment-stream.js';
import { hasUnhandled, type Judging } from './judging.js';

export interface ProcessManagerDependencies {
  readonly store: AggregateLog;
  readonly clock: Pick<BelievedTime, 'time' | 'isProven'>;
  readonly randomness: Randomness;
  readonly timer: Timer;
  /** Without them, long streams are read from their beginning. */
  readonly snapshots?: AggregateSnapshots | undefined;
  readonly stock: Pick<StockKeeper, 'reserve' | 'release'>;
  /** Sends a payment request without waiting. Its outcome comes along the log, or the request is sent again. */
  readonly askPayment: (request: PaymentRequest) => void;
  /** Called with how far each fulfilment has come. */
  readonly worklist: Pick<WorklistWriter, 'note'>;
}

/** Asked when a fulfilment was suspended: whether the event has to wait. */
export type MustWait = () => Promise<boolean>;

/** Questions asked before events of the fulfilment are appended. */
interface Asked {
  readonly mustWait: MustWait;
  /** Whether events that follow from passed time may be appended. */
  readonly mayNote?: (fact: FulfilmentEvent) => Promise<boolean>;
}

/** The state of a fulfilment, and the events appended to it just now. */
interface Noted {
  readonly loaded: Loaded<Fulfilment>;
  readonly facts: readonly FulfilmentEvent[];
}

const kept = 5000;
/** Storage format: of it follow the ids of what it does because time has passed. */
const namespace = 'a7f4b4f2-2f4e-4f0c-8f43-7a3c3f6d9b02';

/**
 * Carries out what the process manager decides, for one partition. It reads little for most orders: it remembers what
 * it has seen and appended, and appends what it assumes to be new as new. A wrong assumption is a conflict: it reads
 * and decides again, and what was done before is a no-op. So events may be handled again, and another process may work
 * on the same partition for a moment: the second finds what the first did.
 */
export class ProcessManager {
  readonly #dependencies: ProcessManagerDependencies;
  readonly #fulfilments: AggregateStreams<Notice, Fulfilment, FulfilmentHistory>;
  readonly #orders;
  readonly #deliveries;
  /** Events up to this position may have been handled before this began. */
  #redoneUpTo = Infinity;

  constructor(dependencies: ProcessManagerDependencies) {
    this.#dependencies = dependencies;
    this.#fulfilments = new AggregateStreams(dependencies.store, 'fulfilment', fulfilmentStream, { keep: kept });
    this.#orders = new AggregateStreams(dependencies.store, 'order', order, { keep: kept });
    this.#deliveries = new AggregateStreams(dependencies.store, 'delivery', delivery, {
      keep: 100,
      snapshots: dependencies.snapshots,
    });
  }

  /** Nobody has handled events after this position: the log ended here when this began. */
  beginAt(head: number): void {
    this.#redoneUpTo = head;
  }

  /**
   * Handles an event of an order: appends what it means for the fulfilment, then sends the commands that are due. A
   * repeat is a no-op. If the fulfilment was suspended, `mustWait` says whether the event has to wait: if so, nothing
   * is done, and the answer is false.
   */
  async handle(orderId: string, event: KnownEvent, mustWait: MustWait): Promise<boolean> {
    if (event.stream === this.#orders.streamOf(orderId)) this.#orders.see(orderId, event);
    const { id, correlationId, traceparent, actor, position, occurredAt } = event;
    const recordedUpTo = Date.parse(event.recordedAt);
    const loaded = this.#known(orderId, event) ?? (await this.#fulfilments.load(orderId));
    // What is not begun hears of its beginning first.
    if (loaded.revision === noStream && event.type !== 'OrderPlaced') await this.#fulfilments.requireNeverWas(orderId);
    // If this fails, the event is handled again.
    const asOf = position > this.#redoneUpTo ? { position } : {};
    this.#redoneUpTo = Math.max(this.#redoneUpTo, position);
    const stockSince = event.type === 'DeliveryReturned' ? position : undefined;
    const cause = { id, occurredAt, correlationId, traceparent, actor, recordedUpTo, stockSince, ...asOf };
    return this.#tell(orderId, event, cause, loaded, { mustWait });
  }

  /** Does what is due because a deadline has passed, if one has. False: the fulfilment is suspended. */
  async look(orderId: string, judging: Judging, mustWait: MustWait): Promise<boolean> {
    const loaded = await this.#fulfilments.load(orderId);
    const id = uuidV5(`${orderId}@${loaded.revision}`, namespace);
    const correlationId = loaded.state.correlationId || id;
    const { occurredAt } = loaded;
    const cause = {
      id,
      occurredAt,
      correlationId,
      traceparent: undefined,
      actor: undefined,
      recordedUpTo: judging.upToMs,
    };
    const mayNote = async (fact: FulfilmentEvent): Promise<boolean> => {
      const { store } = this.#dependencies;
      if (fact.type === 'FulfilmentDeadlineMissed') {
        return this.#dependencies.clock.isProven() && !(await hasUnhandled(store, orderId, judging, fact.data.dueAt));
      }
      // An answer may be there that waits to be handled: then it is not asked for again.
      return fact.type !== 'FulfilmentPaymentRequested' || !(await hasUnhandled(store, orderId, judging));
    };
    return this.#tell(orderId, timePassed, cause, loaded, { mustWait, mayNote });
  }

  /**
   * Requests again the payment that an order waits for: the process that was asked before may be gone. It appends
   * nothing, and leaves a suspended fulfilment alone.
   */
  async askAgain(orderId: string, mustWait: MustWait): Promise<void> {
    const { state, revision, occurredAt } = await this.#fulfilments.load(orderId);
    const { progress, wasSuspended, correlationId } = state;
    if (wasSuspended && (await mustWait())) return;
    const id = uuidV5(`${orderId}@${revision}`, namespace);
    const cause = { id, occurredAt, correlationId, traceparent: undefined, actor: undefined, recordedUpTo: 0 };
    for (const command of dueCommands(progress, timePassed)) {
      if (command.type === 'RequestPayment') await this.#askPayment(command, cause);
    }
  }

  /**
   * The fulfilment, if it is known without reading. It is not known after an event of its own stream, which another
   * appended, nor if it may have been handled before: the log knows when that was.
   */
  #known(orderId: string, { stream, type, position }: KnownEvent): Loaded<Fulfilment> | undefined {
    if (stream === this.#fulfilments.streamOf(orderId)) return undefined;
    const seen = this.#fulfilments.lastSeen(orderId);
    const isNew = type === 'OrderPlaced' && position > this.#redoneUpTo;
    return seen === undefined && isNew ? this.#fulfilments.unwritten() : seen;
  }

  async #tell(
    orderId: string,
    input: ManagerInput,
    cause: Causing,
    loaded: Loaded<Fulfilment>,
    asked: Asked,
  ): Promise<boolean> {
    try {
      const noted = await this.#note(orderId, input, cause, loaded, asked);
      if (noted === undefined) return false;
      // When time has passed, what is due follows from what that led to.
      const [fact] = noted.facts;
      const due = input === timePassed ? fact : input;
      if (due === undefined) this.#tellWorklist(orderId, noted.loaded);
      else await this.#doWhatIsDue(orderId, due, { ...cause, ...stockSinceOf(noted) }, noted.loaded);
      return true;
    } catch (error) {
      // Only the log knows whether a failed append is in it, and since when.
      this.#fulfilments.forget(orderId);
      throw error;
    }
  }

  async #note(
    orderId: string,
    input: ManagerInput,
    cause: Causing,
    known: Loaded<Fulfilment>,
    { mustWait, mayNote }: Partial<Asked> = {},
  ): Promise<Noted | undefined> {
    let loaded: Loaded<Fulfilment> | undefined = known;
    return againOnConflict(async () => {
      const current = loaded ?? (await this.#fulfilments.load(orderId));
      loaded = undefined;
      const { progress, wasSuspended } = current.state;
      if (wasSuspended && mustWait !== undefined && (await mustWait())) return undefined;
      const { clock } = this.#dependencies;
      const { recordedUpTo } = cause;
      const facts = react({ input, now: epochMs(clock), recordedUpTo, isProven: clock.isProven() }, progress);
      if (facts.length === 0) return { loaded: current, facts };
      const [first] = facts;
      if (first !== undefined && (await mayNote?.(first)) === false) return { loaded: current, facts: [] };
      const events = envelopes(facts, orderId, this.#causeOf(cause, byItself), this.#dependencies.randomness);
      return { loaded: await this.#fulfilments.append(orderId, current, events), facts };
    }, this.#dependencies);
  }

  /** Sends each due command once; the immediate outcome of one may make others due. */
  async #doWhatIsDue(orderId: string, input: ManagerInput, cause: Causing, loaded: Loaded<Fulfilment>): Promise<void> {
    const done = new Set<string>();
    const tellings: ManagerInput[] = [input];
    let current = loaded;
    let causing = cause;
    for (const telling of tellings) {
      for (const command of dueCommands(current.state.progress, telling)) {
        const what = command.type === 'RequestPayment' ? `${command.type} ${command.step}` : command.type;
        if (done.has(what)) continue;
        done.add(what);
        const outcome = await this.#carryOut(command, input, causing);
        if (outcome === undefined) continue;
        const noted = await this.#note(orderId, outcome, cause, current);
        current = noted?.loaded ?? current;
        if (noted?.facts.some(isFirstRequest) === true) causing = { ...cause, isFirstAsked: true };
        tellings.push(outcome);
      }
    }
    this.#tellWorklist(orderId, current);
  }

  /** Brings the worklist up to a fulfilment that others have moved on. */
  async keepListed(orderId: string): Promise<void> {
    this.#tellWorklist(orderId, await this.#fulfilments.load(orderId));
  }

  #tellWorklist(orderId: string, { state, revision }: Loaded<Fulfilment>): void {
    const section = sectionOf(state);
    if (section !== undefined) this.#dependencies.worklist.note({ orderId, revision, ...section });
  }

  async #carryOut(
    command: FulfilmentCommand,
    input: ManagerInput,
    causing: Causing,
  ): Promise<CommandOutcome | undefined> {
    const { orderId } = command;
    const cause = this.#causeOf(causing, byItself);
    switch (command.type) {
      case 'ReserveStock': {
        const since = this.#since(command, causing);
        const reservation = await this.#dependencies.stock.reserve(
          orderId,
          command.items,
          cause,
          since,
          causing.position,
        );
        if ('refused' in reservation) {
          return { type: 'StockWasRefused', data: { productId: reservation.refused } };
        }
        return { type: 'StockWasReserved', data: { items: reservation.reserved } };
      }
      case 'ReleaseStock':
        await this.#dependencies.stock.release(
          orderId,
          command.items,
          command.isCertain,
          cause,
          this.#since(command, causing),
        );
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
        await this.#onDelivery(command, pickUpOf(input, cause));
        return undefined;
      default:
        return command satisfies never;
    }
  }

  /**
   * What is asked of the stock was not asked before this position of the log: known where it follows from what was
   * noted or given just now; else the fulfilment's own stream says when it came to that.
   */
  #since(command: StockAsking, { stockSince }: Causing): Since {
    const wasReserved = command.type === 'ReserveStock' || command.isCertain;
    if (stockSince !== undefined && wasReserved) return stockSince;
    const isReleased = command.type === 'ReleaseStock' && wasReserved;
    return async () => {
      const own = (isSo: (event: KnownEvent) => boolean) => this.#fulfilments.find(command.orderId, isSo);
      const released = isReleased ? await own(({ type }) => type === 'FulfilmentCancelled') : undefined;
      return (released ?? (await own(() => true)))?.position ?? beginning;
    };
  }

  async #askPayment(
    { orderId, step, amount, currency }: Extract<FulfilmentCommand, { type: 'RequestPayment' }>,
    causing: Causing,
  ): Promise<void> {
    const { id: causationId, occurredAt, correlationId, traceparent } = this.#causeOf(causing, byItself);
    const { state } = this.#orders.lastSeen(orderId) ?? (await this.#orders.loadExpected(orderId));
    const trace = { correlationId, causationId, causedAt: occurredAt, traceparent: traceparent ?? null };
    const payment = { orderId, step, amount, currency, ...trace };
    const ofOrder =
      state.status === 'none' ? { token: null } : { token: state.paymentToken, customerId: state.customerId };
    const first = causing.isFirstAsked === true && step === 'authorise' ? ({ isFirst: true } as const) : {};
    this.#dependencies.askPayment({ ...payment, ...ofOrder, ...first });
  }

  async #schedule(orderId: string, deliveryId: string, cause: Cause): Promise<void> {
    const { state } = this.#orders.lastSeen(orderId) ?? (await this.#orders.loadExpected(orderId));
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
    let loaded: Loaded<State> | undefined = streams.lastSeen(id) ?? streams.unwritten();
    const attempt = async (): Promise<boolean> => {
      // What the command asks for is done, or was.
      const current = loaded ?? (await streams.loadExpected(id));
      loaded = undefined;
      const events = decideUnlessRefused(streams.decider, command, current.state);
      if (events.length === 0) return false;
      await streams.append(id, current, envelopes(events, command.orderId, cause, this.#dependencies.randomness));
      return true;
    };
    try {
      if (await attempt()) return;
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
    }
    await againOnConflict(attempt, this.#dependencies);
  }

  /** An event is never dated before its cause, even if the clock is behind. */
  #causeOf(
    { id, occurredAt: causedAt, correlationId, traceparent, recordedUpTo }: Causing,
    actor: Actor | undefined,
  ): Cause {
    const now = Math.max(epochMs(this.#dependencies.clock), recordedUpTo);
    const occurredAt = notBefore(new Date(now).toISOString(), causedAt);
    return { id, occurredAt, correlationId, traceparent, actor, request: undefined };
  }
}

/** What the process manager does by itself has no actor. */
const byItself = undefined;

const timePassed: ManagerInput = { type: 'TimePassed', data: {} };

/** A command of the process manager to an aggregate of the order. */
type Asking = Pick<FulfilmentCommand, 'orderId'>;
type OnDelivery = Asking & { readonly deliveryId: string };

type StockAsking = Extract<FulfilmentCommand, { type: 'ReserveStock' | 'ReleaseStock' }>;

/**
 * `recordedUpTo`: as in `Notice`. `occurredAt`: of the event, or of the last one of the fulfilment where time has
 * passed. `stockSince`: position of the log up to which the stock was not asked for this, where known. `position`: of
 * the event. `isFirstAsked`: nobody has requested the payment before.
 */
type Causing = Pick<Cause, 'id' | 'correlationId' | 'traceparent' | 'actor'> &
  Pick<Notice, 'recordedUpTo'> & {
    readonly occurredAt: string | undefined;
    readonly stockSince?: number | undefined;
    readonly position?: number;
    readonly isFirstAsked?: true;
  };

/** A fulfilment that has just begun or been cancelled: nobody can have asked the stock for it before. */
function stockSinceOf({ loaded, facts }: Noted): Pick<Causing, 'stockSince'> {
  const isNew = facts.some(({ type }) => type === 'FulfilmentStarted' || type === 'FulfilmentCancelled');
  return isNew ? { stockSince: loaded.position } : {};
}

/** From which on a payment is asked for: who has just noted it knows that nobody asked before. */
function isFirstRequest({ type, data }: FulfilmentEvent): boolean {
  return type === 'FulfilmentPaymentRequested' && data.step === 'authorise' && data.attempt === 1;
}

/** The courier's own request, so that it finds itself recorded where the pick-up was finished for it. */
function pickUpOf(input: ManagerInput, cause: Cause): Cause {
  if (!('request' in input) || input.request === undefined) return cause;
  const { request, actor } = input as KnownEvent;
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
