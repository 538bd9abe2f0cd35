import { worklist, itemOf, type WorklistItem } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { EventFromTheFuture, NotFound } from '@waybill/shared-kernel/errors.js';
import type {
  FulfilmentCompleted,
  PaymentRequested,
  PaymentSettled,
  StockItem,
} from '@waybill/shared-kernel/events/fulfilment.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import type { Degraded, DocumentReader } from '@waybill/shared-kernel/ports/read-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { findQuarantined } from '@waybill/projections/quarantine/entries.js';
import { suspendedFulfilment } from './suspended-fulfilment.js';

/** How the fulfilment of an order stands, as operators see it: what the process manager noted, and what its events say. */
export interface FulfilmentDetails extends FulfilmentFacts {
  readonly orderId: string;
  /** `undefined`: the process manager has not come to it. */
  readonly item: WorklistItem | undefined;
  /** Why the process manager stands still at it. */
  readonly heldBack: Degraded | undefined;
  /** Those of its stream, one at least. */
  readonly events: readonly RecordedEvent[];
}

export interface FulfilmentFacts {
  /** What is to be paid; null: nothing. */
  readonly charge: { readonly amount: number; readonly currency: string } | null;
  /** How the payment stands; null: it was not settled. */
  readonly payment: PaymentSettled['status'] | null;
  /** What the payment service was asked last, while it has not answered. */
  readonly asked: Pick<PaymentRequested, 'step' | 'attempt' | 'retryAt' | 'until'> | null;
  /** What is set aside now. */
  readonly reserved: readonly StockItem[];
  /** The parcel is with the courier. */
  readonly isOut: boolean;
  readonly outcome: FulfilmentCompleted['outcome'] | null;
}

export interface FulfilmentDetailsDependencies {
  readonly store: StreamEvents;
  readonly readStore: DocumentReader;
}

/** Throws `NotFound` where no fulfilment was begun. */
export async function knownFulfilment(
  orderId: string,
  { store, readStore }: FulfilmentDetailsDependencies,
): Promise<FulfilmentDetails> {
  const events: RecordedEvent[] = [];
  for await (const event of readWholeStream(store, streamName('fulfilment', orderId))) events.push(event);
  if (events.length === 0) throw new NotFound('fulfilment', orderId, `Order ${orderId} has no fulfilment.`);
  const [noted] = await readStore.load(worklist, [orderId]);
  const heldBack = (await findQuarantined(suspendedFulfilment, orderId, readStore))?.degraded;
  const item = noted === undefined ? undefined : itemOf(noted);
  return { orderId, item, heldBack, ...factsOf(events), events };
}

const nothingYet: FulfilmentFacts = {
  charge: null,
  payment: null,
  asked: null,
  reserved: [],
  isOut: false,
  outcome: null,
};

/** What the events say by themselves. One whose payload cannot be read says nothing. */
export function factsOf(events: readonly RecordedEvent[]): FulfilmentFacts {
  return events.reduce((facts, event) => {
    const known = readable(event);
    return known === undefined ? facts : after(facts, known);
  }, nothingYet);
}

function readable(event: RecordedEvent): KnownEvent | undefined {
  try {
    return upcast(event);
  } catch (error) {
    if (error instanceof EventFromTheFuture) throw error;
    return undefined;
  }
}

function after(facts: FulfilmentFacts, { type, data }: KnownEvent): FulfilmentFacts {
  switch (type) {
    case 'FulfilmentStarted': {
      const { amount, currency } = data;
      return amount === null || currency === null ? facts : { ...facts, charge: { amount, currency } };
    }
    case 'FulfilmentStockReserved':
      return { ...facts, reserved: data.items };
    case 'FulfilmentStockReleased':
      return { ...facts, reserved: [] };
    case 'FulfilmentPaymentRequested': {
      const { step, attempt, retryAt, until } = data;
      return { ...facts, asked: { step, attempt, retryAt, until }, isOut: facts.isOut && step !== 'capture' };
    }
    case 'FulfilmentPaymentSettled':
      return { ...facts, payment: data.status, asked: null };
    case 'FulfilmentDispatched':
      return { ...facts, isOut: true };
    case 'FulfilmentFailed':
      return { ...facts, isOut: false };
    case 'FulfilmentCompleted':
      return { ...facts, isOut: false, outcome: data.outcome };
    default:
      return facts;
  }
}
