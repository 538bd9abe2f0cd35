import { EventFromTheFuture } from '../errors.js';
import type { EventData, RecordedEvent } from '../message.js';
import { currentVersions, type WaybillEvent } from './catalogue.js';

/** Turns the payload of one version into that of the next. Pure; the stored bytes never change. */
export type Upcaster = (data: EventData) => EventData;

/** Event type → version → the step from that version to the next. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>;

export const upcasters: Upcasters = {
  OrderCancelled: { 1: (data) => ({ ...data, timeEstimated: false }) },
  // Before there was stock and payment, nothing was set aside or taken.
  FulfilmentStarted: { 1: (data) => ({ ...data, items: [], amount: null, currency: null }) },
  FulfilmentDeliveryRequested: { 1: (data) => ({ ...data, dueAt: null }) },
  RequestDirected: { 1: (data) => ({ ...data, hash: null, subject: null }) },
};

/** A recorded event whose payload has the shape this code knows. */
export type KnownEvent = Omit<RecordedEvent, 'type' | 'data'> & WaybillEvent;

/** Throws `EventFromTheFuture` for an event of a newer version than `versions`, or of an unknown type. */
export function refuseFuture(
  { type, schemaVersion }: Pick<RecordedEvent, 'type' | 'schemaVersion'>,
  versions: Readonly<Record<string, number>> = currentVersions,
): void {
  const current = versions[type];
  if (current === undefined || schemaVersion > current) throw new EventFromTheFuture(type, schemaVersion);
}

/**
 * Brings an event to `versions`, step by step. Throws `EventFromTheFuture` as `refuseFuture` does; anything else that
 * it throws means that this payload cannot be brought there.
 */
export function upcast(
  event: RecordedEvent,
  steps: Upcasters = upcasters,
  versions: Readonly<Record<string, number>> = currentVersions,
): KnownEvent {
  const current = versions[event.type];
  if (event.schemaVersion === current) return event as KnownEvent;
  refuseFuture(event, versions);
  let data = event.data;
  for (let version = event.schemaVersion; version < (current ?? 0); version += 1) {
    const step = steps[event.type]?.[version];
    if (step === undefined) throw new Error(`no upcaster for ${event.type} version ${version}`);
    data = step(data);
  }
  return { ...event, data, schemaVersion: current } as KnownEvent;
}
