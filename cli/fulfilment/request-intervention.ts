import { RuleViolated } from '@waybill/shared-kernel/errors.js';
import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import type { AskedByHand } from '@waybill/shared-kernel/events/fulfilment.js';
import type { Actor, EventData } from '@waybill/shared-kernel/message.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { type Randomness, timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Appended, Appender, StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { knownFulfilment, type FulfilmentDetails, type FulfilmentDetailsDependencies } from './fulfilment-details.js';

/** `retry`: have what is due done now. `compensate`: have it undone. */
export type Request = 'retry' | 'compensate';

const types = {
  retry: 'FulfilmentRetryRequested',
  compensate: 'FulfilmentCompensationRequested',
} as const;

export interface InterventionDependencies extends FulfilmentDetailsDependencies {
  readonly store: Appender & StreamEvents;
  readonly clock: WallClock;
  readonly randomness: Randomness;
  readonly actor: Actor;
  readonly reason: string;
}

/**
 * Asks the process manager, in the stream of the fulfilment, to move an order: it does so when it comes to this in the
 * log. Throws `NotFound` where no fulfilment was begun, `RuleViolated` where there is nothing to be done, and
 * `WrongExpectedRevision` where something happened to it meanwhile.
 */
export async function requestIntervention(
  request: Request,
  orderId: string,
  dependencies: InterventionDependencies,
): Promise<Appended> {
  const { store, clock, randomness, actor, reason } = dependencies;
  const known = await knownFulfilment(orderId, dependencies);
  const refusal = refusalOf(request, known);
  if (refusal !== undefined) throw new RuleViolated(refusal.rule, refusal.message);
  const last = known.events.at(-1)!;
  const data: AskedByHand = { orderId, reason };
  const type = types[request];
  return store.append(streamName('fulfilment', orderId), last.revision, [
    {
      id: randomness.uuid(),
      type,
      schemaVersion: currentVersions[type],
      occurredAt: notBefore(timestamp(clock), last.occurredAt),
      correlationId: last.correlationId,
      causationId: last.id,
      actor,
      partitionKey: orderId,
      data: data as AskedByHand & EventData,
    },
  ]);
}

export interface Refusal {
  /** Stable, for programs. */
  readonly rule: string;
  readonly message: string;
}

type Judged = Pick<FulfilmentDetails, 'orderId' | 'item' | 'heldBack' | 'isOut' | 'outcome' | 'payment'>;

/** Why asking for it would lead to nothing, as far as is known: what the process manager then does, it decides itself. */
export function refusalOf(request: Request, known: Judged): Refusal | undefined {
  const { orderId, heldBack } = known;
  if (heldBack !== undefined) {
    return {
      rule: 'fulfilment-held-back',
      message: `Order ${orderId} is suspended by ${heldBack.event?.type || 'a fault of its streams'}. Repair that, then: npx waybill quarantine release ${orderId}`,
    };
  }
  return request === 'retry' ? noRetry(known) : noCompensation(known);
}

function noRetry({ orderId, item }: Judged): Refusal | undefined {
  if (item?.state !== 'completed') return undefined;
  return { rule: 'fulfilment-completed', message: `The fulfilment of order ${orderId} is completed; nothing is due.` };
}

function noCompensation({ orderId, item, isOut, outcome, payment }: Judged): Refusal | undefined {
  const state = item?.state;
  if (state === 'rejecting' || state === 'compensating') {
    return {
      rule: 'fulfilment-undone',
      message: `Order ${orderId} is being undone already. To have that tried now: npx waybill fulfilment retry ${orderId}`,
    };
  }
  if (isOut) {
    return {
      rule: 'order-dispatched',
      message: `The parcel of order ${orderId} is out for delivery: the courier completes the delivery or fails it, and what follows from that is done.`,
    };
  }
  if (state !== 'completed') return undefined;
  if (outcome === 'delivered') {
    if (payment === 'captured' || payment === 'authorised') return undefined;
    return { rule: 'nothing-to-undo', message: `Nothing is left of what was paid for order ${orderId}.` };
  }
  return { rule: 'nothing-to-undo', message: `Order ${orderId} was not carried out, and all of it is undone.` };
}
