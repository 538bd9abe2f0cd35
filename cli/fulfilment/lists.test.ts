import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { seededRandomness, virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import { noteSuspension } from '@waybill/command-side/fulfilment/suspension/note-suspension.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { DocumentWrite, ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { resumeSuspended } from '@waybill/command-side/fulfilment/suspension/resume-suspended.js';
import { suspendedOrders, suspensionTypes } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { readSuspensions } from '@waybill/command-side/fulfilment/suspension/suspension.js';
import { itemOf, worklist } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { WorklistWriter } from '@waybill/command-side/fulfilment/worklist/worklist-writer.js';
import { verifyReadModels } from '@waybill/projections/audit/verify-read-models.js';
import { onFulfilment, placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { auditedLists, fulfilmentLists } from './lists.js';
import { rebuildList } from './rebuild-list.js';
import { upTo } from '@waybill/shared-kernel/testing/at.js';

const clock = virtualClock('2026-03-01T12:00:00Z');
const orderId = 'o1';
const partition = partitionOf(orderId);
const [listOfWork, listOfSuspended] = fulfilmentLists as readonly [
  (typeof fulfilmentLists)[0],
  (typeof fulfilmentLists)[0],
];

const dueAt = '2026-03-02T12:00:00.000Z';
const begun: readonly FulfilmentEvent[] = [
  { type: 'FulfilmentStarted', data: { orderId, customerId: 'ada', items: [], amount: null, currency: null } },
  { type: 'FulfilmentStockReserved', data: { orderId, items: [] } },
];
const delivering: FulfilmentEvent = {
  type: 'FulfilmentDeliveryRequested',
  data: { orderId, deliveryId: 'd1', dueAt },
};
const suspended: SuspensionEvent = {
  type: 'FulfilmentSuspended',
  data: { orderId, eventId: 'e', eventType: 'OrderConfirmed', stream: `order-${orderId}`, revision: 0, error: 'E' },
};

let store: MemoryEventStore;
let readStore: ReadStore;

beforeEach(async () => {
  store = new MemoryEventStore(clock);
  readStore = openSqliteReadStore(':memory:');
  await auditedLists(readStore);
  await appendAll(store, [placed(orderId)]);
});

afterEach(() => readStore.close());

const append = (...events: readonly (FulfilmentEvent | SuspensionEvent)[]): Promise<void> =>
  appendAll(
    store,
    events.map((event) => onFulfilment(orderId, event)),
  );

const audit = async () => verifyReadModels(await auditedLists(readStore), { store, readStore });

const rebuild = (list = listOfWork) =>
  rebuildList(list, { store, readStore, clock, randomness: seededRandomness('lists') });

/** The process manager has come to the end of the log, and wrote what it did. */
async function handled(writer?: WorklistWriter): Promise<void> {
  const position = upTo(await store.head());
  if (writer === undefined) {
    const [stored] = await readStore.load(worklist, [orderId]);
    const write = await listOfWork.anew(orderId, stored, { store, clock });
    await readStore.commit({ collection: worklist, partition, writes: [write], position });
  } else await writer.flush(partition, position);
  await readStore.saveConsumerPosition('fulfilment', partition, position);
}

/** Writes over what is stored, as a fault or a person might. */
async function spoil(change: Partial<DocumentWrite>): Promise<void> {
  const [stored] = await readStore.scan(worklist, undefined, 1);
  const { key, revisions, sections, fields, projectedAt } = stored!;
  const write = { key, expected: revisions, revisions, sections, fields, projectedAt, ...change };
  expect(await readStore.commit({ collection: worklist, partition, writes: [write], position: upTo(0) })).toEqual([]);
}

describe('the worklist', () => {
  test('is the fold of the streams, and so the audit finds', async () => {
    await append(...begun, delivering);
    await handled();
    expect(await audit()).toMatchObject({ ok: true, documents: 1, differences: [] });
    const [document] = await readStore.load(worklist, [orderId]);
    expect(document!.revisions).toEqual({ fulfilment: 2 });
    expect(itemOf(document!)).toMatchObject({ state: 'delivering', deadline: 'courier', dueAt });
  });

  test('that is behind is not wrong; what it says to have, and has not, is', async () => {
    await append(...begun);
    await handled();
    await append(delivering);
    expect((await audit()).differences).toEqual([]);
    const position = await store.head();
    await readStore.commit({ collection: worklist, partition, writes: [], position: upTo(position) });
    expect((await audit()).differences).toEqual([
      {
        ...{ projection: 'worklist', key: orderId, path: '/revisions/fulfilment' },
        ...{ expected: 2, actual: 1, divergedAt: String(position) },
      },
    ]);
  });

  test('that says something else is named with the event from which on it does, and is mended', async () => {
    await append(...begun, delivering);
    await handled();
    const [stored] = await readStore.load(worklist, [orderId]);
    const wrong = { fulfilment: { ...(stored!.sections['fulfilment'] as object), dueAt: null } };
    await spoil({ sections: wrong });
    const [event] = await store.readStream(`fulfilment-${orderId}`, 2, 1);
    expect((await audit()).differences).toEqual([
      {
        ...{ projection: 'worklist', key: orderId, path: '/sections/fulfilment/dueAt' },
        ...{ expected: dueAt, actual: null, divergedAt: String(event!.position) },
      },
    ]);
    expect(await rebuild()).toMatchObject({ result: 'switched', documents: 1, mended: { count: 1 } });
    expect(await audit()).toMatchObject({ ok: true });
    expect(await rebuild()).toMatchObject({ result: 'switched', mended: { count: 0 } });
  });

  test('leaves the order as it was of which not every event can be read any more', async () => {
    await append(...begun);
    await handled();
    await appendUnreadable(store, `fulfilment-${orderId}`, 1);
    expect(await audit()).toMatchObject({
      differences: [],
      unreadable: [{ stream: `fulfilment-${orderId}`, revision: 2 }],
    });
    const [stored] = await readStore.load(worklist, [orderId]);
    const wrong = { fulfilment: { ...(stored!.sections['fulfilment'] as object), dueAt } };
    await spoil({ sections: wrong });
    expect(await rebuild()).toMatchObject({ result: 'differs', differences: { count: 1 } });
    expect((await readStore.load(worklist, [orderId]))[0]).toMatchObject({ sections: wrong });
  });

  test('of which documents are lost has them again, beside a process manager that thinks it wrote them', async () => {
    await append(...begun);
    const writer = new WorklistWriter({ readStore, clock });
    const [{ expected: _, revisions, sections }] = [await listOfWork.anew(orderId, undefined, { store, clock })];
    writer.note({ orderId, revision: revisions['fulfilment']!, ...(sections['fulfilment'] as Noted) });
    await handled(writer);
    await readStore.drop(worklist);
    await readStore.declare(worklist);
    expect(await rebuild()).toMatchObject({ result: 'switched', documents: 1, mended: { count: 1 } });
    await append(delivering);
    const next = await listOfWork.anew(orderId, undefined, { store, clock });
    writer.note({ orderId, revision: 2, ...(next.sections['fulfilment'] as Noted) });
    await handled(writer);
    expect((await audit()).differences).toEqual([]);
    expect((await readStore.load(worklist, [orderId]))[0]!.revisions).toEqual({ fulfilment: 2 });
  });

  test('that knows an order of which the log knows nothing forgets it', async () => {
    await append(...begun, delivering);
    const invented = await listOfWork.anew(orderId, undefined, { store, clock });
    store = new MemoryEventStore(clock);
    await readStore.commit({ collection: worklist, partition, writes: [invented], position: upTo(0) });
    expect((await audit()).differences).toMatchObject([{ key: orderId, path: '', expected: null, divergedAt: null }]);
    await rebuild();
    expect((await audit()).differences).toEqual([]);
    expect(await readStore.list(worklist, { equal: { state: 'delivering' }, limit: 10 })).toEqual([]);
    // The order comes to be after all: what is empty holds up nobody.
    await append(...begun);
    const writer = new WorklistWriter({ readStore, clock });
    const { sections } = await listOfWork.anew(orderId, undefined, { store, clock });
    writer.note({ orderId, revision: 1, ...(sections['fulfilment'] as Noted) });
    await handled(writer);
    expect((await audit()).differences).toEqual([]);
  });
});

type Noted = Omit<Parameters<WorklistWriter['note']>[0], 'orderId' | 'revision'>;

describe('the list of suspended orders', () => {
  async function noted(): Promise<void> {
    const { last } = await readSuspensions(store, orderId);
    await noteSuspension(orderId, last!, { store, readStore, clock }, 'What was really wrong.');
  }

  test('is the fold of what the streams tell of suspensions, and so the audit finds', async () => {
    await append(...begun, suspended);
    await noted();
    await handled();
    const { ok, quarantined } = await audit();
    expect({ ok, quarantined }).toEqual({ ok: true, quarantined: [{ projection: 'fulfilment', key: orderId }] });
    const actor = { sub: 'ann', role: 'operator' };
    await resumeSuspended(orderId, { store, clock, actor, reason: 'mended' });
    await noted();
    await append(delivering);
    await handled();
    expect(await audit()).toMatchObject({ ok: true, quarantined: [] });
    expect([...suspensionTypes]).toEqual(['FulfilmentSuspended', 'FulfilmentResumed']);
  });

  test('that misses one is found to, and has it again', async () => {
    await append(...begun, suspended);
    await handled();
    const { differences } = await audit();
    expect(differences).toMatchObject([{ projection: 'fulfilment', key: orderId, path: '', actual: null }]);
    expect(await rebuild(listOfSuspended)).toMatchObject({ result: 'switched', documents: 1, mended: { count: 1 } });
    expect((await audit()).differences).toEqual([]);
    const [found] = await readStore.quarantined(suspendedOrders, undefined, 10);
    expect(found).toMatchObject({ key: orderId, degraded: { error: 'E', event: { type: 'OrderPlaced' } } });
  });

  test('that holds one that goes on is found to, and lets go of it', async () => {
    await append(...begun);
    await handled();
    const write = {
      ...{ key: orderId, expected: undefined, revisions: { fulfilment: 1 }, sections: {} },
      ...{ fields: { single: { since: dueAt }, multiple: {} }, projectedAt: dueAt },
      degraded: {
        ...{ since: dueAt, triedAt: dueAt, error: 'none', seen: {} },
        event: { id: 'e', stream: `order-${orderId}`, revision: 0, position: 1, type: 'OrderPlaced' },
      },
    };
    await readStore.commit({ collection: suspendedOrders, partition, writes: [write], position: upTo(0) });
    expect((await audit()).differences).toMatchObject([{ projection: 'fulfilment', expected: null }]);
    expect(await rebuild(listOfSuspended)).toMatchObject({ result: 'switched', mended: { count: 1 } });
    expect(await readStore.quarantined(suspendedOrders, undefined, 10)).toEqual([]);
    expect((await audit()).differences).toEqual([]);
  });
});
