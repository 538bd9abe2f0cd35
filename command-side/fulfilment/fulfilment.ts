import type { Decider } from '@waybill/shared-kernel/decider.js';
import type { EventType, WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import type {
  FulfilmentEvent,
  PaymentSettled,
  PaymentStep,
  StockItem,
} from '@waybill/shared-kernel/events/fulfilment.js';
import type { OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import {
  deadlineOf,
  evolve,
  isEnding,
  owesMoney,
  owesStock,
  type Asked,
  type BegunFulfilment,
  type FulfilmentState,
  type Money,
} from './fulfilment-state.js';
import { later, timeLimits, extendedTimeLimits, retryAt } from './deadlines/time-limits.js';

// The process manager carries an order from its placement to its end: stock, payment, delivery, and undoing each. It is
// pure: events and outcomes of commands go in; events of the fulfilment (here) and commands to others
// (`due-commands.ts`) come out. What is due follows from the state and the input, whether or not the input came
// before. So after a crash at any point the same events, given again, lead to what was not done. Every command is a
// no-op the second time.
//
// Undoing begins at the order's stream, which is the arbiter: what fails here only asks for the order to be rejected,
// and what was done is undone when the order says that it is rejected, or cancelled.

/** The immediate outcome of a command. */
export type CommandOutcome =
  | { readonly type: 'StockWasReserved'; readonly data: { readonly items: readonly StockItem[] } }
  | { readonly type: 'StockWasRefused'; readonly data: { readonly productId: string } }
  | { readonly type: 'StockWasReleased'; readonly data: object };

/** The input: an event of the log, the outcome of a command, or that time has passed. */
export type ManagerInput = WaybillEvent | CommandOutcome | { readonly type: 'TimePassed'; readonly data: object };

/** An input and when it came. Times are milliseconds since 1970-01-01T00:00:00Z. */
export interface Notice {
  readonly input: ManagerInput;
  /** The time as it is believed (`BelievedTime`). */
  readonly now: number;
  /** Everything recorded up to this time has been given; for an event, the time it was recorded. */
  readonly recordedUpTo: number;
  /** Whether the time is known well enough for what cannot be undone. */
  readonly isProven: boolean;
}

/** By which time something may be called late: nothing is because we are, or because our clock runs ahead. */
function judgedAt({ now, recordedUpTo }: Notice): number {
  return Math.min(now, recordedUpTo);
}

/** From when on others are waited for: not since before they could know. */
function waitsFrom({ now, recordedUpTo }: Notice): number {
  return Math.max(now, recordedUpTo);
}

/**
 * The order an event is about where fulfilment has to do with it; `undefined` passes it by, as all imported history.
 * Known without the payload, so that an event whose payload is broken still is about one.
 */
export function orderConcerned({ type, imported, partitionKey }: Occurrence): string | undefined {
  return imported !== true && concerning.has(type) ? partitionKey : undefined;
}

type Occurrence = Pick<RecordedEvent, 'type' | 'imported' | 'partitionKey'>;

const concerning: ReadonlySet<string> = new Set<EventType>([
  'OrderPlaced',
  'OrderConfirmed',
  'OrderRejected',
  'OrderCancelled',
  'OrderDispatched',
  'PaymentAuthorised',
  'PaymentDeclined',
  'PaymentCaptured',
  'PaymentVoided',
  'PaymentRefunded',
  'DeliveryScheduled',
  'DeliveryCompleted',
  'DeliveryFailed',
  'DeliveryReturned',
  // Whoever noted it may have died over what follows from it.
  'FulfilmentDeadlineMissed',
  'FulfilmentRetryRequested',
  'FulfilmentCompensationRequested',
  'FulfilmentResumed',
]);

/** What it means for the fulfilment; nothing, when it meant it before. */
export function react(notice: Notice, state: FulfilmentState): readonly FulfilmentEvent[] {
  const { input } = notice;
  const now = waitsFrom(notice);
  if (state.status === 'none') return input.type === 'OrderPlaced' ? [started(input.data)] : [];
  const { orderId } = state;
  switch (input.type) {
    case 'StockWasReserved':
      return state.status === 'reserving' ? stockReserved(state, input.data.items, now) : [];
    case 'StockWasRefused': {
      const { productId } = input.data;
      return state.status === 'reserving' ? [{ type: 'FulfilmentStockRefused', data: { orderId, productId } }] : [];
    }
    case 'StockWasReleased':
      if (state.status !== 'compensating' || !owesStock(state)) return [];
      return [{ type: 'FulfilmentStockReleased', data: { orderId } }];
    case 'PaymentAuthorised':
      return settled(state, 'authorised', notice);
    case 'PaymentDeclined':
      return settled(state, 'declined', notice);
    case 'PaymentVoided':
      return settled(state, 'voided', notice);
    case 'PaymentRefunded':
      return settled(state, 'refunded', notice);
    case 'PaymentCaptured':
      return settled(state, 'captured', notice);
    case 'OrderConfirmed': {
      if (isEnding(state) || state.deliveryId !== undefined) return [];
      const dueAt = later(now, timeLimits.courier);
      return [{ type: 'FulfilmentDeliveryRequested', data: { orderId, deliveryId: deliveryIdOf(orderId), dueAt } }];
    }
    case 'OrderRejected':
    case 'OrderCancelled':
      if (isEnding(state)) return [];
      return [{ type: 'FulfilmentCancelled', data: { orderId } }, ...moneyBack(state, now)];
    case 'OrderDispatched':
      if (state.status !== 'delivering' || state.isDispatched) return [];
      return [{ type: 'FulfilmentDispatched', data: { orderId, dueAt: later(now, timeLimits.delivery) } }];
    case 'DeliveryCompleted':
      if (state.status !== 'delivering') return [];
      if (state.money === 'asked' || state.money === 'authorised') return [request(orderId, 'capture', now)];
      return [{ type: 'FulfilmentCompleted', data: { orderId, outcome: 'delivered' } }];
    case 'DeliveryFailed': {
      if (state.status !== 'delivering' || input.data.next === 'retry') return [];
      const dueAt = later(now, timeLimits.return);
      return [{ type: 'FulfilmentFailed', data: { orderId, dueAt } }, ...moneyBack(state, now)];
    }
    case 'FulfilmentCompensationRequested':
      return state.status === 'compensating' && state.asked === undefined ? moneyBack(state, now) : [];
    case 'FulfilmentRetryRequested':
      return 'asked' in state && state.asked?.isWantedNow === true ? [again(orderId, state.asked, now)] : [];
    case 'TimePassed':
      return late(state, notice);
    default:
      return [];
  }
}

function started({ orderId, customerId, lines, total, currency, paymentToken }: OrderPlaced): FulfilmentEvent {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of lines) {
    quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
  }
  const items = [...quantities].map(([productId, quantity]) => ({ productId, quantity }));
  const charge = total === null || total === 0 || paymentToken === null ? nothingToPay : { amount: total, currency };
  return { type: 'FulfilmentStarted', data: { orderId, customerId, items, ...charge } };
}

const nothingToPay = { amount: null, currency: null };

function stockReserved({ orderId, charge }: BegunFulfilment, items: readonly StockItem[], now: number) {
  const facts: FulfilmentEvent[] = [];
  if (items.length > 0 || charge === undefined) {
    facts.push({ type: 'FulfilmentStockReserved', data: { orderId, items } });
  }
  if (charge !== undefined) facts.push(request(orderId, 'authorise', now));
  return facts;
}

/**
 * The payment's stream says how it stands: whoever asked for it, that is so from now on, and what it said before comes
 * too late. It is in time by when it was recorded, whenever it is read.
 */
function settled(state: BegunFulfilment, status: PaymentSettled['status'], notice: Notice): readonly FulfilmentEvent[] {
  const { orderId, money } = state;
  if (sequence.indexOf(status) <= sequence.indexOf(money)) return [];
  const fact: FulfilmentEvent = { type: 'FulfilmentPaymentSettled', data: { orderId, status } };
  const isHeld = owesMoney({ money: status });
  if (state.status === 'authorising' && isHeld) {
    const { until } = state.asked;
    const isLate = until !== null && notice.isProven && Date.parse(until) < judgedAt(notice);
    return isLate ? [missed(orderId, until), fact] : [fact];
  }
  if (state.status === 'compensating' || state.status === 'completed') {
    if (state.status === 'completed' && state.outcome === 'delivered') return [];
    // Taken although it had been given back, as far as anybody knew.
    if (isHeld && !owesMoney(state)) return [fact, request(orderId, 'release', waitsFrom(notice))];
    return !isHeld && owesMoney(state) ? [fact] : [];
  }
  if (state.status !== 'capturing' || status === 'authorised') return [fact];
  return [fact, { type: 'FulfilmentCompleted', data: { orderId, outcome: 'delivered' } }];
}

/** In which a payment's stream tells of it, each at most once. */
const sequence: readonly Money[] = ['none', 'asked', 'authorised', 'declined', 'voided', 'captured', 'refunded'];

function moneyBack(state: BegunFulfilment, now: number): readonly FulfilmentEvent[] {
  return owesMoney(state) ? [request(state.orderId, 'release', now)] : [];
}

function request(orderId: string, step: PaymentStep, now: number): FulfilmentEvent {
  const until = step === 'authorise' ? later(now, timeLimits.payment) : null;
  const data = { orderId, step, attempt: 1, retryAt: retryAt(now, step, 1), until };
  return { type: 'FulfilmentPaymentRequested', data };
}

function again(orderId: string, { step, attempt: before, until }: Asked, now: number): FulfilmentEvent {
  const attempt = before + 1;
  const next = retryAt(now, step, attempt);
  const isLast = until !== null && until < next && Date.parse(until) > now;
  const data = { orderId, step, attempt, retryAt: isLast ? until : next, until };
  return { type: 'FulfilmentPaymentRequested', data };
}

/** What follows from a deadline that is over. */
function late(state: BegunFulfilment, notice: Notice): readonly FulfilmentEvent[] {
  const deadline = deadlineOf(state);
  if (deadline === undefined || Date.parse(deadline.dueAt) > judgedAt(notice)) return [];
  const { orderId } = state;
  const { name, dueAt } = deadline;
  const asked = 'asked' in state ? state.asked : undefined;
  if (name !== 'payment' || asked === undefined) {
    const next = name === 'payment' ? null : later(waitsFrom(notice), extendedTimeLimits[name]);
    return [{ type: 'FulfilmentDeadlineMissed', data: { orderId, deadline: name, dueAt, again: next } }];
  }
  if (asked.until === null || Date.parse(asked.until) > judgedAt(notice)) {
    return [again(orderId, asked, waitsFrom(notice))];
  }
  return [missed(orderId, asked.until)];
}

/** The payment was not authorised by then. */
function missed(orderId: string, dueAt: string): FulfilmentEvent {
  return { type: 'FulfilmentDeadlineMissed', data: { orderId, deadline: 'payment', dueAt, again: null } };
}

/** The process manager as an aggregate: its input is the command, its decisions are events of its own. */
export const fulfilment: Decider<Notice, FulfilmentState, FulfilmentEvent> = {
  initialState: { status: 'none' },
  decide: react,
  evolve,
};
