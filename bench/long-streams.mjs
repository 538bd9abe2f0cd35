import { randomUUID } from 'node:crypto';
import { currentVersions } from '../shared-kernel/dist/events/catalogue.js';
import { deliveryIdOf } from '../shared-kernel/dist/stream.js';

const begin = Date.UTC(2026, 0, 2);
const pageSize = 1_000;

/** When a courier reported the `number`th position: one a second. */
export function timeOfPosition(number) {
  return new Date(begin + number * 1_000).toISOString();
}

/** Has the delivery of an order of `fillLog` picked up, and its courier report so many positions. */
export async function appendPositions(store, orderId, count) {
  const of = { deliveryId: deliveryIdOf(orderId), orderId };
  const events = [
    eventOf(orderId, 'DeliveryAssigned', { ...of, courierId: 'courier-1' }, begin),
    eventOf(orderId, 'DeliveryPickedUp', { ...of, courierId: 'courier-1' }, begin),
  ];
  for (let number = 0; number < count; number += 1) {
    const at = timeOfPosition(number);
    const position = { ...of, latitude: 52.520008, longitude: 13.404954, at };
    events.push(eventOf(orderId, 'DeliveryPositionReported', position, Date.parse(at)));
  }
  await appendAll(store, `delivery-${of.deliveryId}`, 0, events);
}

/** A customer who registers and moves so many times. `addressOf` gives their sealed address. */
export async function appendMoves(store, customerId, count, addressOf) {
  const sealed = () => addressOf(customerId);
  const registered = { customerId, name: sealed(), phone: sealed(), address: sealed() };
  const events = [eventOf(customerId, 'CustomerRegistered', registered, begin)];
  for (let number = 0; number < count; number += 1) {
    const moved = { customerId, address: sealed() };
    events.push(eventOf(customerId, 'CustomerAddressChanged', moved, begin + number * 1_000));
  }
  await appendAll(store, `customer-${customerId}`, -1, events);
}

async function appendAll(store, stream, after, events) {
  let revision = after;
  for (let from = 0; from < events.length; from += pageSize) {
    ({ revision } = await store.append(stream, revision, events.slice(from, from + pageSize)));
  }
}

function eventOf(partitionKey, type, data, time) {
  const id = randomUUID();
  return {
    id,
    type,
    schemaVersion: currentVersions[type],
    occurredAt: new Date(time).toISOString(),
    correlationId: id,
    causationId: id,
    actor: { sub: 'courier-1', role: 'courier' },
    partitionKey,
    data,
  };
}
