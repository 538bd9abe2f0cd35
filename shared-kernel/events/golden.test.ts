import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { EventData, RecordedEvent } from '../message.js';
import { currentVersions, type EventType, type WaybillEvent } from './catalogue.js';
import { upcast } from './upcast.js';

/**
 * Golden files are what a log may hold: `golden/<type>.<version>.json`. They are never edited. When a payload has to
 * change, it no longer compiles below; the way out is a new version, an upcaster, and one more golden file.
 */
const folder = new URL('../../events/golden/', import.meta.url);

interface Golden {
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: EventData;
}

function golden(file: string): Golden {
  return JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Golden;
}

/** The payload of every golden file as the types of today read it. */
const read: { readonly [Type in EventType]: Extract<WaybillEvent, { readonly type: Type }>['data'] } = {
  OrderPlaced: {
    orderId: 'o1',
    customerId: 'ann',
    lines: [
      { productId: 'tea', merchantId: 'shop', name: 'Tea', quantity: 2, unitPrice: 900, freight: null },
      { productId: 'p2', merchantId: null, name: null, quantity: 1, unitPrice: 5990, freight: 1245 },
    ],
    currency: 'EUR',
    total: 9035,
    deliveryAddress: 'sealed.1.ann.YWRkcmVzcw',
    paymentToken: 'tok_approve',
    promisedBy: '2026-03-05T12:00:00.000Z',
  },
  OrderConfirmed: { orderId: 'o1' },
  OrderRejected: { orderId: 'o1', reason: 'out of stock', timeEstimated: false },
  OrderCancelled: { orderId: 'o1', reason: 'changed my mind', by: 'customer', timeEstimated: false },
  OrderDispatched: { orderId: 'o1', deliveryId: 'd1', courierId: 'rider-7' },
  OrderDelivered: { orderId: 'o1' },
  OrderDeliveryFailed: { orderId: 'o1', reason: 'nobody at home' },
  DeliveryScheduled: {
    deliveryId: 'd1',
    orderId: 'o1',
    customerId: 'ann',
    address: 'sealed.1.ann.YWRkcmVzcw',
    promisedBy: null,
  },
  DeliveryAssigned: { deliveryId: 'd1', orderId: 'o1', courierId: 'rider-7' },
  DeliveryReleased: { deliveryId: 'd1', orderId: 'o1', courierId: 'rider-7' },
  DeliveryPickedUp: { deliveryId: 'd1', orderId: 'o1', courierId: 'rider-7' },
  DeliveryPositionReported: {
    deliveryId: 'd1',
    orderId: 'o1',
    latitude: 52.520008,
    longitude: 13.404954,
    at: '2026-03-05T11:31:07.000Z',
  },
  DeliveryCompleted: { deliveryId: 'd1', orderId: 'o1', proof: 'signed: A' },
  DeliveryFailed: { deliveryId: 'd1', orderId: 'o1', reason: 'nobody at home', next: 'retry' },
  DeliveryReturned: { deliveryId: 'd1', orderId: 'o1' },
  DeliveryCancelled: { deliveryId: 'd1', orderId: 'o1', reason: 'order-cancelled' },
  ProductListed: { productId: 'tea', merchantId: 'shop', name: 'Tea', unitPrice: 900, currency: 'EUR', stock: null },
  ProductPriceChanged: { productId: 'tea', unitPrice: 950, currency: 'EUR' },
  ProductStockChanged: { productId: 'tea', change: -2, stock: 38 },
  ProductWithdrawn: { productId: 'tea' },
  StockReserved: { productId: 'tea', orderId: 'o1', quantity: 2, stock: 36 },
  StockReleased: { productId: 'tea', orderId: 'o1', quantity: 2, stock: 38 },
  CustomerRegistered: {
    customerId: 'ann',
    name: 'sealed.1.ann.bmFtZQ',
    phone: 'sealed.1.ann.cGhvbmU',
    address: 'sealed.1.ann.YWRkcmVzcw',
  },
  CustomerErased: { customerId: 'ann' },
  CustomerAddressChanged: { customerId: 'ann', address: 'sealed.1.ann.YWRkcmVzcyAy' },
  PaymentAuthorised: { orderId: 'o1', amount: 9035, currency: 'EUR' },
  PaymentDeclined: { orderId: 'o1', reason: 'card declined' },
  PaymentCaptured: { orderId: 'o1', amount: 9035, currency: 'EUR' },
  PaymentVoided: { orderId: 'o1' },
  PaymentRefunded: { orderId: 'o1', amount: 9035, currency: 'EUR' },
  FulfilmentStarted: {
    orderId: 'o1',
    customerId: 'ann',
    items: [{ productId: 'tea', quantity: 2 }],
    amount: 9035,
    currency: 'EUR',
  },
  FulfilmentStockReserved: { orderId: 'o1', items: [{ productId: 'tea', quantity: 2 }] },
  FulfilmentStockRefused: { orderId: 'o1', productId: 'tea' },
  FulfilmentStockReleased: { orderId: 'o1' },
  FulfilmentPaymentRequested: {
    orderId: 'o1',
    step: 'authorise',
    attempt: 1,
    retryAt: '2026-03-05T11:00:10.000Z',
    until: '2026-03-05T11:15:00.000Z',
  },
  FulfilmentPaymentSettled: { orderId: 'o1', status: 'authorised' },
  FulfilmentDeliveryRequested: { orderId: 'o1', deliveryId: 'd1', dueAt: '2026-03-06T11:00:00.000Z' },
  FulfilmentDispatched: { orderId: 'o1', dueAt: '2026-03-07T11:00:00.000Z' },
  FulfilmentDeadlineMissed: {
    orderId: 'o1',
    deadline: 'courier',
    dueAt: '2026-03-06T11:00:00.000Z',
    again: null,
  },
  FulfilmentCancelled: { orderId: 'o1' },
  FulfilmentFailed: { orderId: 'o1', dueAt: '2026-03-12T11:00:00.000Z' },
  FulfilmentCompleted: { orderId: 'o1', outcome: 'delivered' },
  FulfilmentSuspended: {
    orderId: 'o1',
    eventId: '3d4c3a3e-6b0f-5c55-8f3a-0a5f7d3c2b10',
    eventType: 'OrderConfirmed',
    stream: 'order-o1',
    revision: 1,
    error: 'TypeError',
  },
  FulfilmentResumed: { orderId: 'o1', reason: 'mended in 1.4.2' },
  FulfilmentRetryRequested: { orderId: 'o1', reason: 'the gateway is back' },
  FulfilmentCompensationRequested: { orderId: 'o1', reason: 'the parcel was empty' },
  RequestDirected: { stream: 'order-o1', hash: 'ws75VHb5F38gr2criFNTBxMw-F7aWY8aYFZIoezD7G4', subject: 'ann' },
};

/** Those of an older version that does not read as the present one's golden file does. */
const readOfOld: Readonly<Record<string, EventData>> = {
  'FulfilmentStarted.1.json': {
    orderId: 'o1',
    customerId: 'ann',
    items: [],
    amount: null,
    currency: null,
  },
  'FulfilmentDeliveryRequested.1.json': { orderId: 'o1', deliveryId: 'd1', dueAt: null },
  'RequestDirected.1.json': { stream: 'order-o1', hash: null, subject: null },
};

const files = readdirSync(folder).toSorted();

describe('golden events', () => {
  test('there is one for every type and version, and none beside', () => {
    const expected = Object.entries(currentVersions).flatMap(([type, current]) =>
      Array.from({ length: current }, (_, index) => `${type}.${index + 1}.json`),
    );
    expect(files).toEqual(expected.toSorted());
  });

  test.each(files)('%s reads as what it meant', (file) => {
    const stored = golden(file);
    expect(`${stored.type}.${stored.schemaVersion}.json`).toBe(file);
    const event = upcast(recorded(stored));
    expect(event.schemaVersion).toBe(currentVersions[event.type]);
    expect(event.data).toStrictEqual(readOfOld[file] ?? read[event.type]);
  });

  test.each(files)('%s is flat: primitives, or lists of flat objects', (file) => {
    for (const value of Object.values(golden(file).data)) {
      if (Array.isArray(value))
        value.forEach((item: object) => expect(Object.values(item).every(primitive)).toBe(true));
      else expect(primitive(value)).toBe(true);
    }
  });
});

function primitive(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function recorded({ type, schemaVersion, data }: Golden): RecordedEvent {
  return {
    id: '3d4c3a3e-6b0f-5c55-8f3a-0a5f7d3c2b10',
    type,
    schemaVersion,
    occurredAt: '2026-03-01T09:00:00.000Z',
    correlationId: 'c1',
    causationId: 'c1',
    partitionKey: 'o1',
    data,
    stream: 'order-o1',
    revision: 0,
    position: 1,
    recordedAt: '2026-03-01T09:00:00.001Z',
  };
}
