import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { worklistNote } from '@waybill/command-side/fulfilment/worklist/testing/worklist-note.js';
import { worklist, type WorklistItem } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { WorklistWriter } from '@waybill/command-side/fulfilment/worklist/worklist-writer.js';
import { NotFound, RuleViolated, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { FulfilmentEvent, FulfilmentSuspended } from '@waybill/shared-kernel/events/fulfilment.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { Appender, StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { noteSuspension } from '@waybill/command-side/fulfilment/suspension/note-suspension.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { readSuspensions } from '@waybill/command-side/fulfilment/suspension/suspension.js';
import { onFulfilment, placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { requestIntervention, type Request } from './request-intervention.js';
import { knownFulfilment } from './fulfilment-details.js';

const orderId = 'o1';
const dueAt = '2026-03-01T13:00:00.000Z';
const items = [{ productId: 'P-1', quantity: 2 }];

const started: FulfilmentEvent = {
  type: 'FulfilmentStarted',
  data: { orderId, customerId: 'ada', items, amount: 10500, currency: 'EUR' },
};
const reserved: FulfilmentEvent = { type: 'FulfilmentStockReserved', data: { orderId, items } };
const released: FulfilmentEvent = { type: 'FulfilmentStockReleased', data: { orderId } };
const dispatched: FulfilmentEvent = { type: 'FulfilmentDispatched', data: { orderId, dueAt } };
const cancelled: FulfilmentEvent = { type: 'FulfilmentCancelled', data: { orderId } };
const delivered: FulfilmentEvent = { type: 'FulfilmentCompleted', data: { orderId, outcome: 'delivered' } };
const failed: FulfilmentEvent = { type: 'FulfilmentFailed', data: { orderId, dueAt } };
const capture = requested('capture', 1);

function requested(step: 'authorise' | 'capture' | 'release', attempt: number): FulfilmentEvent {
  return { type: 'FulfilmentPaymentRequested', data: { orderId, step, attempt, retryAt: dueAt, until: null } };
}

function settled(status: 'authorised' | 'captured' | 'refunded'): FulfilmentEvent {
  return { type: 'FulfilmentPaymentSettled', data: { orderId, status } };
}

describe('asking by hand', () => {
  const clock = virtualClock('2026-03-01T12:30:00Z');
  let log: MemoryEventStore;
  let readStore: ReadStore;

  beforeEach(async () => {
    log = new MemoryEventStore(clock);
    readStore = openSqliteReadStore(':memory:');
    await readStore.declare(worklist);
    await readStore.declare(suspendedOrders);
    await appendAll(log, [placed(orderId)]);
  });
  afterEach(() => readStore.close());

  /** What happened, and as what the process manager noted it. */
  async function stands(events: readonly FulfilmentEvent[], state?: WorklistItem['state']): Promise<void> {
    await appendAll(
      log,
      events.map((event) => onFulfilment(orderId, event)),
    );
    if (state === undefined) return;
    const writer = new WorklistWriter({ readStore, clock });
    const item = { state, deadline: null, dueAt: null, since: dueAt };
    writer.note(worklistNote(orderId, events.length - 1, item));
    await writer.flush(partitionOf(orderId));
  }

  const ask = (request: Request, id = orderId) =>
    requestIntervention(request, id, {
      ...{ store: log, readStore, clock, randomness: seededRandomness('hand'), reason: 'asked by phone' },
      actor: { sub: 'olga', role: 'operator' },
    });

  test.each([
    ['retry', 'FulfilmentRetryRequested'],
    ['compensate', 'FulfilmentCompensationRequested'],
  ] as const)('%s notes who asked, and why, in the stream', async (request, type) => {
    await stands([started, requested('authorise', 3)], 'authorising');
    expect(await ask(request)).toMatchObject({ revision: 2 });
    const events = await log.readStream(`fulfilment-${orderId}`, 0, 10);
    expect(events[2]).toMatchObject({
      type,
      schemaVersion: 1,
      occurredAt: '2026-03-01T12:30:00.000Z',
      correlationId: events[1]!.correlationId,
      causationId: events[1]!.id,
      actor: { sub: 'olga', role: 'operator' },
      partitionKey: orderId,
      data: { orderId, reason: 'asked by phone' },
    });
  });

  test('happens no earlier than what it follows', async () => {
    await stands([started, requested('authorise', 3)], 'authorising');
    clock.advance(-3_600_000);
    await ask('retry');
    const events = await log.readStream(`fulfilment-${orderId}`, 0, 10);
    expect(events[2]!.occurredAt).toBe(events[1]!.occurredAt);
  });

  test('is refused where no fulfilment was begun', async () => {
    await expect(ask('retry')).rejects.toThrow(NotFound);
    await expect(ask('retry')).rejects.toThrow('Order o1 has no fulfilment.');
  });

  test('is refused where something was quicker', async () => {
    await stands([started]);
    const raced: Appender & StreamEvents = {
      append: (...asked) => log.append(...asked),
      readStream: async (...asked) => {
        const events = await log.readStream(...asked);
        await appendAll(log, [onFulfilment(orderId, reserved)]);
        return events;
      },
    };
    const dependencies = { readStore, clock, randomness: seededRandomness('hand'), reason: 'late' };
    const actor = { sub: 'olga', role: 'operator' };
    await expect(requestIntervention('retry', orderId, { ...dependencies, store: raced, actor })).rejects.toThrow(
      WrongExpectedRevision,
    );
    expect((await log.readStream(`fulfilment-${orderId}`, 0, 10)).map(({ type }) => type)).toEqual([
      'FulfilmentStarted',
      'FulfilmentStockReserved',
    ]);
  });

  const way = [started, reserved, requested('authorise', 1), settled('authorised')];
  test.each<[Request, string, readonly FulfilmentEvent[], WorklistItem['state'] | undefined, string | undefined]>([
    ['retry', 'is not known yet', [started], undefined, undefined],
    ['retry', 'waits for a payment', [started, requested('authorise', 1)], 'authorising', undefined],
    ['retry', 'is being undone', [...way, cancelled], 'compensating', undefined],
    ['retry', 'is completed', [...way, dispatched, delivered], 'completed', 'fulfilment-completed'],
    ['compensate', 'is not known yet', [started], undefined, undefined],
    ['compensate', 'waits for a payment', [started, requested('authorise', 1)], 'authorising', undefined],
    ['compensate', 'waits for a courier', way, 'delivering', undefined],
    ['compensate', 'is out for delivery', [...way, dispatched], 'delivering', 'order-dispatched'],
    ['compensate', 'is out, and not known yet', [...way, dispatched], undefined, 'order-dispatched'],
    ['compensate', 'is paid for at the door', [...way, dispatched, capture], 'capturing', undefined],
    ['compensate', 'is being rejected', [started], 'rejecting', 'fulfilment-undone'],
    ['compensate', 'is being undone', [...way, dispatched, failed], 'compensating', 'fulfilment-undone'],
    ['compensate', 'was undone', [...way, cancelled, released], 'completed', 'nothing-to-undo'],
    [
      'compensate',
      'was delivered and paid',
      [...way, dispatched, capture, settled('captured'), delivered],
      'completed',
      undefined,
    ],
    [
      'compensate',
      'was delivered and paid back',
      [...way, dispatched, capture, settled('captured'), delivered, settled('refunded')],
      'completed',
      'nothing-to-undo',
    ],
  ])('%s, where it %s', async (request, _, events, state, rule) => {
    await stands(events, state);
    const asked = ask(request);
    if (rule === undefined) {
      expect(await asked).toMatchObject({ revision: events.length });
    } else {
      const refused = await asked.catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(RuleViolated);
      expect((refused as RuleViolated).rule).toBe(rule);
      expect((refused as RuleViolated).message).toContain(orderId);
      expect(await log.readStream(`fulfilment-${orderId}`, 0, 99)).toHaveLength(events.length);
    }
  });

  test.each(['retry', 'compensate'] as const)('%s sends to the release, where it is held back', async (request) => {
    const [placement] = await log.readStream(`order-${orderId}`, 0, 1);
    const data: FulfilmentSuspended = {
      ...{ orderId, eventId: placement!.id, eventType: 'OrderPlaced', stream: `order-${orderId}`, revision: 0 },
      error: 'TypeError',
    };
    await appendAll(log, [
      onFulfilment(orderId, started),
      onFulfilment(orderId, { type: 'FulfilmentSuspended', data }),
    ]);
    const { last } = await readSuspensions(log, orderId);
    await noteSuspension(orderId, last!, { readStore, store: log, clock });
    await expect(ask(request)).rejects.toThrow('npx waybill quarantine release o1');
  });

  test('shows what is set aside, what was paid and what is asked for', async () => {
    await stands([started, reserved, requested('authorise', 1), requested('authorise', 2)], 'authorising');
    expect(await knownFulfilment(orderId, { store: log, readStore })).toMatchObject({
      item: { state: 'authorising' },
      heldBack: undefined,
      charge: { amount: 10500, currency: 'EUR' },
      payment: null,
      asked: { step: 'authorise', attempt: 2, retryAt: dueAt, until: null },
      reserved: items,
      isOut: false,
      outcome: null,
    });
    await appendAll(
      log,
      [settled('authorised'), cancelled, released].map((event) => onFulfilment(orderId, event)),
    );
    expect(await knownFulfilment(orderId, { store: log, readStore })).toMatchObject({
      payment: 'authorised',
      asked: null,
      reserved: [],
    });
  });
});
