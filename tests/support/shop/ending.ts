import { fulfilmentStream, type FulfilmentHistory } from '@waybill/command-side/fulfilment/fulfilment-stream.js';
import { deadlineOf } from '@waybill/command-side/fulfilment/fulfilment-state.js';
import type { Entry } from '@waybill/infra/payment-gateway/simulator/ledger.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { stocks, type Kind } from './plan.js';
import type { Story } from './story.js';

/** Where an order has come to rest. */
export interface Ending {
  /** The last event of its stream. */
  readonly order: string;
  readonly state: string;
  readonly deadline: string | null;
}

interface Demanded extends Ending {
  /** What the gateway may have booked. */
  readonly booked: readonly string[];
  /** Whether its pieces are set aside, or gone. */
  readonly hasPieces: boolean;
}

const over = { state: 'completed', deadline: null } as const;
const nothing = { booked: ['', 'authorisation void'], hasPieces: false } as const;
const held = { booked: ['authorisation'], hasPieces: true } as const;

/** Where an order must end: by what was planned for it, what was answered, and whether there was enough in stock. */
export function demandedOf(story: Story, events: readonly RecordedEvent[]): Demanded {
  const { plan, isCancelled, isPickedUp } = story;
  if (isCancelled && isPickedUp) throw new Error(`${story.orderId} was both cancelled and picked up.`);
  if (isCancelled) return { order: 'OrderCancelled', ...over, ...nothing };
  if (isPickedUp) return demandedOfPickedUp(story);
  const rejected = { order: 'OrderRejected', ...over, ...nothing };
  if (plan.lines.some(({ kind }) => kind === 'rare') && isRefusedForStock(events)) return rejected;
  switch (plan.token) {
    case 'tok_decline':
      return { ...rejected, booked: [''] };
    case 'tok_hang':
      return { order: 'OrderPlaced', state: 'authorising', deadline: 'payment', booked: [''], hasPieces: true };
    default:
      return { order: 'OrderConfirmed', state: 'delivering', deadline: 'courier', ...held };
  }
}

function demandedOfPickedUp({ plan: { courier, lines } }: Story): Demanded {
  const isCounted = lines.some(({ kind }) => stocks[kind] !== null);
  switch (courier) {
    case 'never comes':
    case 'is on the way':
      return { order: 'OrderDispatched', state: 'delivering', deadline: 'delivery', ...held };
    case 'delivers':
    case 'delivers at the second attempt':
      return { order: 'OrderDelivered', ...over, booked: ['authorisation capture'], hasPieces: true };
    case 'gives up': {
      const waits = isCounted ? { state: 'compensating', deadline: 'return' } : over;
      return { order: 'OrderDeliveryFailed', ...waits, booked: ['authorisation void'], hasPieces: true };
    }
    case 'brings it back':
      return { order: 'OrderDeliveryFailed', ...over, booked: ['authorisation void'], hasPieces: false };
    default:
      return courier satisfies never;
  }
}

function isRefusedForStock(events: readonly RecordedEvent[]): boolean {
  return events.some((event) => {
    const { type, data } = upcast(event);
    return type === 'FulfilmentStockRefused' && data.productId.startsWith('rare-');
  });
}

/** Where an order has come to, by its events. */
export function endingOf(events: readonly RecordedEvent[]): Ending {
  let order = '';
  let { initialState: fulfilment } = fulfilmentStream;
  for (const event of events) {
    const category = categoryOf(event.stream);
    if (category === 'order') order = event.type;
    if (category === 'fulfilment') {
      fulfilment = fulfilmentStream.evolve(fulfilment, upcast(event) as FulfilmentHistory);
    }
  }
  const { progress } = fulfilment;
  return { order, state: progress.status, deadline: deadlineOf(progress)?.name ?? null };
}

/** Whether it is where it must be. */
export function hasEnded(story: Story, events: readonly RecordedEvent[]): boolean {
  const { order, state, deadline } = demandedOf(story, events);
  const actual = endingOf(events);
  return actual.order === order && actual.state === state && actual.deadline === deadline;
}

/** What is wrong with what the gateway booked of an order, if anything is. */
export function wronglyBooked(story: Story, events: readonly RecordedEvent[], entries: readonly Entry[]): string[] {
  const ofOrder = entries.filter(({ reference }) => reference === story.orderId);
  const booked = ofOrder.map(({ kind }) => kind).join(' ');
  const total = 900 * story.plan.lines.reduce((sum, { quantity }) => sum + quantity, 0);
  const { booked: allowed, order } = demandedOf(story, events);
  const isRight =
    allowed.includes(booked) && ofOrder.every(({ amount, currency }) => amount === total && currency === 'EUR');
  return isRight ? [] : [`${story.orderId}, ${order}: ${JSON.stringify(ofOrder)}`];
}

/** Pieces of a counted product that nobody has. */
export function piecesLeft(
  kind: Exclude<Kind, 'tea'>,
  stories: readonly Story[],
  eventsOf: (orderId: string) => readonly RecordedEvent[],
): number {
  let left: number = stocks[kind];
  for (const story of stories) {
    if (!demandedOf(story, eventsOf(story.orderId)).hasPieces) continue;
    for (const line of story.plan.lines) if (line.kind === kind) left -= line.quantity;
  }
  return left;
}

/** Events that say what another said before, where each thing is said once. */
export function saidTwice(events: readonly RecordedEvent[]): readonly string[] {
  const seen = new Set<string>();
  const twice: string[] = [];
  for (const event of events) {
    const said = `${event.stream} ${event.type} ${JSON.stringify(upcast(event).data)}`;
    if (seen.has(said)) twice.push(said);
    seen.add(said);
  }
  return twice;
}
