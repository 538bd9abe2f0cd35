import { RevisionMismatch, StreamCut, StreamUnreadable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import {
  noStream,
  type Appended,
  type Appender,
  type BackwardsStreamReader,
} from '@waybill/shared-kernel/ports/event-store.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { againOnConflict } from '../handling/conflict.js';
import { envelopes, type Cause } from '../handling/envelope.js';
import { refuseUnderWay, type UnderWay } from './customer.js';

export interface UnreadErasureDependencies {
  readonly store: Appender & BackwardsStreamReader;
  readonly erasures: {
    ordersUnderWay(customerId: string, role: string): Promise<UnderWay>;
    carryOut(customerId: string): Promise<void>;
  };
  readonly randomness: Randomness;
  readonly timer: Timer;
}

/** The key of a customer is destroyed, and their stream took nothing that says so. */
export class ErasureNotRecorded extends StreamCut {
  constructor(customerId: string, stream: string) {
    super(stream, undefined);
    this.message =
      `The key of customer ${customerId} is destroyed: nothing that is kept of them can be read any more. ` +
      `That they are erased could not be recorded, as stream ${stream} takes nothing any more: ` +
      'where an older copy of the keys is restored, erase them again.';
  }
}

/**
 * Erases a customer whose stream cannot be read: what the law asks for does not wait for that. `CustomerErased` goes behind
 * whatever the stream has, by which every process and every restored copy of the keys knows of it, and the key is
 * destroyed. Where the stream takes nothing any more the key alone is, and it throws `ErasureNotRecorded`. Throws
 * `RuleViolated` while orders are under way, and `RevisionMismatch`. Again is a no-op.
 */
export async function eraseUnread(
  customerId: string,
  cause: Cause,
  matches: (revision: number) => boolean,
  dependencies: UnreadErasureDependencies,
): Promise<Appended> {
  const { erasures, store } = dependencies;
  const stream = streamName('customer', customerId);
  const last = await lastOrNone(stream, store);
  // Of a stream that was tombstoned nobody can say at which revision it is.
  if (last === undefined && !matches(Number.NaN)) throw new StreamCut(stream, undefined);
  if (last !== undefined && !matches(last.revision)) throw new RevisionMismatch(last.revision);
  if (last?.type !== 'CustomerErased') {
    refuseUnderWay(customerId, await erasures.ordersUnderWay(customerId, cause.actor?.role ?? ''));
  }
  const recorded = await againOnConflict(() => record(stream, customerId, cause, matches, dependencies), dependencies);
  await erasures.carryOut(customerId);
  if (recorded === undefined) throw new ErasureNotRecorded(customerId, stream);
  return recorded;
}

/** `undefined`: the stream takes nothing any more. */
async function record(
  stream: string,
  customerId: string,
  cause: Cause,
  matches: (revision: number) => boolean,
  { store, randomness }: UnreadErasureDependencies,
): Promise<Appended | undefined> {
  try {
    const last = await lastOf(stream, store);
    if (!matches(last.revision)) throw new RevisionMismatch(last.revision);
    if (last.type === 'CustomerErased') return last;
    const inTurn = { ...cause, occurredAt: notBefore(cause.occurredAt, last.occurredAt) };
    const events = envelopes([{ type: 'CustomerErased', data: { customerId } }], customerId, inTurn, randomness);
    return await appendBehind(stream, last.revision, events, store);
  } catch (error) {
    if (error instanceof StreamCut) return undefined;
    throw error;
  }
}

interface Last extends Appended {
  readonly type: string | undefined;
  readonly occurredAt?: string;
}

/** `undefined`: the stream was tombstoned. */
async function lastOrNone(stream: string, store: UnreadErasureDependencies['store']): Promise<Last | undefined> {
  try {
    return await lastOf(stream, store);
  } catch (error) {
    if (error instanceof StreamCut) return undefined;
    throw error;
  }
}

/** The last event that is left, also where it cannot be read. Throws `StreamCut` where the stream was tombstoned. */
async function lastOf(stream: string, store: UnreadErasureDependencies['store']): Promise<Last> {
  try {
    const [last] = await store.readStreamBackwards(stream, Infinity, 1);
    return last ?? { revision: noStream, position: 0, type: undefined };
  } catch (error) {
    if (!(error instanceof StreamUnreadable)) throw error;
    return { revision: error.revision, position: error.position, type: undefined };
  }
}

/** Also where nothing is left that says how far the stream had come. */
async function appendBehind(
  stream: string,
  revision: number,
  events: readonly NewEvent[],
  store: UnreadErasureDependencies['store'],
): Promise<Appended> {
  try {
    return await store.append(stream, revision, events);
  } catch (error) {
    if (error instanceof WrongExpectedRevision) {
      // Another was quicker.
      if ((await lastOf(stream, store)).revision !== noStream) throw error;
      return store.append(stream, error.actual, events);
    }
    // It is stored, behind what was deleted.
    if (error instanceof StreamCut) return lastOf(stream, store);
    throw error;
  }
}
