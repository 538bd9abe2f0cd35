import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Database } from '@waybill/infra/sqlite/database.js';
import { StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { streamName, deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { broken, cancelled, listed, placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { importHistory } from '@waybill/cli/import/import-history.js';
import type { OlistOrder } from '@waybill/cli/import/olist-folder.js';
import { historyOf } from '@waybill/cli/import/olist-history.js';
import { verifyReadModels, type AuditDependencies } from '@waybill/projections/audit/verify-read-models.js';

const clock = virtualClock('2026-01-01T00:00:00Z');

function orderOf(index: number): OlistOrder {
  return {
    orderId: `o-${index}`,
    customerId: `c-${index % 7}`,
    status: index % 10 === 0 ? 'canceled' : 'delivered',
    purchasedAt: `2017-10-01T10:${String(index % 60).padStart(2, '0')}:00.000Z`,
    approvedAt: '2017-10-02T11:00:00.000Z',
    handedOverAt: '2017-10-04T12:00:00.000Z',
    deliveredAt: '2017-10-10T13:00:00.000Z',
    promisedBy: null,
    items: [{ number: 1, productId: 'hat', sellerId: 'shop', price: 990, freight: 1 }],
    paid: 991,
  };
}

const orders = Array.from({ length: 50 }, (_, index) => orderOf(index));

let folder: string;
let store: EventStore;
let readStore: ReadStore;
let file: Database;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-audit-'));
  store = new MemoryEventStore(clock);
  const path = join(folder, 'read-models.sqlite');
  readStore = openSqliteReadStore(path);
  file = new Database(path, { what: 'test', schema: { applicationId: 0, version: 0, migrate: () => undefined } });
  await importHistory(store, orders.map(historyOf));
  await catchUp(projections, { store, readStore, clock });
});

afterEach(async () => {
  file.close();
  await readStore.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

const audit = (capacity?: number) =>
  verifyReadModels(projections, { store, readStore }, { ...(capacity !== undefined && { capacity }) });

async function positionOf(stream: string, revision: number): Promise<string> {
  const [event] = await store.readStream(stream, revision, 1);
  return String(event!.position);
}

/** Changes what is stored of an order behind everybody's back. */
function tamper(set: string, key = 'o-7', table = 'orders@2'): void {
  expect(file.prepare(`UPDATE "${table}" SET ${set} WHERE key = ?`).run(key).changes).toBe(1);
}

/** Nothing was cut, and everything could be read. */
const whole = { cut: [], unreadable: [] };

describe('auditing the read models', () => {
  test('finds them equal to the log, also when hardly a document fits into memory', async () => {
    const good = { ok: true, events: await store.head(), documents: 100, differences: [], quarantined: [], ...whole };
    expect(await audit()).toEqual(good);
    expect(await audit(2)).toEqual(good);
  });

  test('finds a changed section, and the event since which it is wrong', async () => {
    tamper(`sections = json_set(sections, '$.order.confirmedAt', '2000-01-01T00:00:00.000Z')`);
    for (const capacity of [undefined, 2]) {
      expect(await audit(capacity)).toMatchObject({
        ok: false,
        differences: [
          {
            projection: 'orders',
            key: 'o-7',
            path: '/sections/order/confirmedAt',
            expected: '2017-10-02T11:00:00.000Z',
            actual: '2000-01-01T00:00:00.000Z',
            divergedAt: await positionOf('order-o-7', 0),
          },
        ],
      });
    }
  });

  describe('of events that cannot be read', () => {
    /** What stands in the log at a revision of a stream cannot be read any more. */
    const unreadable = (stream: string, revision: number): AuditDependencies['store'] => ({
      head: () => store.head(),
      cutOf: (asked) => store.cutOf(asked),
      readStream: async (asked, from, limit) => {
        const events = await store.readStream(asked, from, limit);
        const fault = events.find((event) => asked === stream && event.revision === revision);
        if (fault !== undefined) throw new StreamUnreadable(stream, revision, fault.position, 'it is broken');
        return events;
      },
      readAll: async (...asked) => {
        const page = await store.readAll(...asked);
        const is = (event: RecordedEvent) => event.stream === stream && event.revision === revision;
        const mark = (position: number) =>
          ({ stream, revision, position, why: 'unreadable', detail: 'it is broken' }) as const;
        return {
          ...page,
          events: page.events.filter((event) => !is(event)),
          marks: page.events.filter(is).map(({ position }) => mark(position)),
        };
      },
    });
    const auditOf = (log: AuditDependencies['store']) => verifyReadModels(projections, { store: log, readStore });

    test.each([
      ['order-o-7', 0],
      ['order-o-7', 1],
      ['payment-o-7', 0],
      [streamName('delivery', deliveryIdOf('o-7')), 0],
      [streamName('delivery', deliveryIdOf('o-7')), 2],
    ])('tells of %s, revision %d, and not of the documents that hold it', async (stream, revision) => {
      const position = await positionOf(stream, revision);
      const report = await auditOf(unreadable(stream, revision));
      const event = { stream, revision, position, detail: 'it is broken' };
      expect(report).toMatchObject({ ok: false, differences: [], cut: [], unreadable: [event] });
    });

    test('finds what is wrong with all others', async () => {
      tamper(`"single:status" = 'confirmed'`, 'o-8');
      const { differences } = await auditOf(unreadable('order-o-7', 0));
      expect(differences).toMatchObject([{ key: 'o-8', path: '/fields/single/status' }]);
    });

    test('compares a document that stands before one', async () => {
      const stream = streamName('delivery', deliveryIdOf('o-7'));
      tamper(`revisions = json_set(revisions, '$.delivery', 0)`);
      const { differences } = await auditOf(unreadable(stream, 2));
      expect(differences.filter(({ projection }) => projection === 'orders')).not.toEqual([]);
    });
  });

  test('a value that was right once diverged at the event that ended it', async () => {
    tamper(`"single:status" = 'confirmed'`);
    const { differences } = await audit();
    expect(differences).toEqual([
      {
        projection: 'orders',
        key: 'o-7',
        path: '/fields/single/status',
        expected: 'delivered',
        actual: 'confirmed',
        divergedAt: await positionOf(streamName('delivery', deliveryIdOf('o-7')), 1),
      },
    ]);
  });

  test('finds a changed set of an index', async () => {
    tamper(`"multiple:merchantId" = replace("multiple:merchantId", 'shop', 'shed')`);
    const { differences } = await audit();
    expect(differences).toMatchObject([
      { key: 'o-7', path: '/fields/multiple/merchantId/0', expected: 'shop', actual: 'shed' },
    ]);
  });

  test('finds a sum that is not that of the documents, and one that is missing', async () => {
    const set = `UPDATE "orders@2:sums" SET low = low + 1 WHERE owner = '' AND name = 'placed'`;
    expect(file.prepare(set).run().changes).toBe(1);
    file.prepare(`DELETE FROM "orders@2:sums" WHERE owner = 'shop' AND name = 'delivered'`).run();
    const found = { projection: 'orders', divergedAt: null };
    const { ok, differences } = await audit();
    expect(ok).toBe(false);
    expect(differences).toEqual([
      {
        ...found,
        key: '2017-10-01',
        path: '/sums/placed/BRL',
        expected: { count: 50, total: String(50 * 991) },
        actual: { count: 50, total: String(50 * 991 + 1) },
      },
      {
        ...found,
        key: 'shop 2017-10-10',
        path: '/sums/delivered/BRL',
        expected: { count: 50, total: String(50 * 991) },
        actual: { count: 0, total: '0' },
      },
    ]);
  });

  test('finds a missing document, and one of which the log knows nothing', async () => {
    file.prepare(`DELETE FROM "orders@2" WHERE key = 'o-7'`).run();
    tamper(`key = 'nobody'`, deliveryIdOf('o-8'), 'deliveries@3');
    const { documents, differences } = await audit();
    expect(documents).toBe(99);
    // The sums of its four days, for everybody and for its merchant, still hold what it added.
    expect(differences.filter(({ path }) => path.startsWith('/sums/'))).toHaveLength(4);
    expect(differences.filter(({ path }) => !path.startsWith('/sums/'))).toHaveLength(3);
    expect(differences).toContainEqual({
      projection: 'orders',
      key: 'o-7',
      path: '',
      expected: expect.objectContaining({ revisions: { order: 1, payment: 0, delivery: 2 } }),
      actual: null,
      divergedAt: await positionOf('order-o-7', 0),
    });
    expect(differences).toContainEqual(
      expect.objectContaining({ projection: 'deliveries', key: deliveryIdOf('o-8'), path: '', actual: null }),
    );
    expect(differences).toContainEqual({
      projection: 'deliveries',
      key: 'nobody',
      path: '',
      expected: null,
      actual: expect.objectContaining({ revisions: { delivery: 2 } }),
      divergedAt: null,
    });
  });

  test('finds a document that cannot be read', async () => {
    tamper(`sections = '{"order":'`);
    const { differences } = await audit();
    expect(differences.map(({ key, path, actual }) => [key, path, actual])).toEqual([
      ['o-7', '/sections/order', null],
      ['o-7', '/sections/payment', null],
      ['o-7', '/sections/delivery', null],
    ]);
  });

  test('finds an event that was passed over, and a revision that the log has not', async () => {
    tamper(`revisions = json_remove(revisions, '$.payment'), sections = json_remove(sections, '$.payment')`);
    tamper(`revisions = json_set(revisions, '$.order', 9)`, 'o-8');
    const { differences } = await audit();
    expect(differences).toEqual(
      expect.arrayContaining([
        {
          projection: 'orders',
          key: 'o-7',
          path: '/revisions/payment',
          expected: 0,
          actual: null,
          divergedAt: await positionOf('payment-o-7', 0),
        },
        { projection: 'orders', key: 'o-8', path: '/revisions/order', expected: 1, actual: 9, divergedAt: null },
      ]),
    );
    expect(differences).toHaveLength(2);
  });

  test('lag is no difference: neither a document that is behind, nor one that is not there yet', async () => {
    await importHistory(store, [historyOf(orderOf(50))]);
    const later = { ...orderOf(51), orderId: 'o-51' };
    const [placing, ...rest] = historyOf(later).steps;
    await store.append(placing!.stream, placing!.expectedRevision, placing!.events);
    await catchUp(projections, { store, readStore, clock });
    for (const step of rest) await store.append(step.stream, step.expectedRevision, step.events);
    await importHistory(store, [historyOf(orderOf(52))]);
    expect(await audit()).toMatchObject({ ok: true, documents: 103, differences: [] });
  });

  test('a document that is behind and wrong is a difference, at its own revisions', async () => {
    const later = { ...orderOf(51), orderId: 'o-51' };
    const [placing, ...rest] = historyOf(later).steps;
    await store.append(placing!.stream, placing!.expectedRevision, placing!.events);
    await catchUp(projections, { store, readStore, clock });
    for (const step of rest) await store.append(step.stream, step.expectedRevision, step.events);
    tamper(`sections = json_set(sections, '$.order.placed.customerId', 'somebody')`, 'o-51');
    const { differences } = await audit();
    expect(differences).toMatchObject([
      { key: 'o-51', path: '/sections/order/placed/customerId', expected: 'c-2', actual: 'somebody' },
    ]);
  });

  describe('in which the last event of the log is applied', () => {
    const place = { projection: 'orders', key: 'o-51' };
    let last: string;

    /** What is appended is the whole life of an order so far, and nothing comes behind it. */
    async function applied(events: number): Promise<void> {
      const { steps } = historyOf({ ...orderOf(51), orderId: 'o-51' });
      const life = steps.flatMap(({ stream, events: of }) => of.map((event) => ({ stream, event })));
      await appendAll(store, life.slice(0, events));
      await catchUp(projections, { store, readStore, clock });
      last = String(await store.head());
    }

    test('finds that the document which began with it is lost', async () => {
      await applied(1);
      file.prepare(`DELETE FROM "orders@2" WHERE key = 'o-51'`).run();
      const { differences } = await audit();
      const ofDocuments = differences.filter(({ path }) => !path.startsWith('/sums/'));
      expect(ofDocuments).toMatchObject([{ ...place, path: '', actual: null, divergedAt: last }]);
    });

    test('finds that it is missing in its document', async () => {
      await applied(2);
      const [found] = await readStore.load(projections[0]!.collection, ['o-51']);
      const { order } = found!.revisions;
      expect([last, order]).toEqual([await positionOf('order-o-51', 1), 1]);
      tamper(`revisions = json_set(revisions, '$.order', 0)`, 'o-51');
      const { differences } = await audit();
      expect(differences).toContainEqual({
        ...place,
        path: '/revisions/order',
        expected: 1,
        actual: 0,
        divergedAt: last,
      });
    });

    test('finds no difference in one that began behind it, and is not there yet', async () => {
      await applied(1);
      await appendAll(store, [placed('o-52')]);
      expect(await audit()).toMatchObject({ ok: true, differences: [] });
    });
  });

  describe('of which some are quarantined', () => {
    const place = { projection: 'orders', key: 'o-51' };

    /** The order is placed, an event of it is broken, and then it goes on. */
    beforeEach(async () => {
      const [placing, ...rest] = historyOf({ ...orderOf(51), orderId: 'o-51' }).steps;
      await store.append(placing!.stream, placing!.expectedRevision, placing!.events);
      await appendAll(store, [broken(cancelled('o-51'))]);
      for (const { stream, events } of rest) {
        await appendAll(
          store,
          events.map((event) => ({ stream, event })),
        );
      }
      await appendAll(store, [broken(listed('P-1'))]);
      await catchUp(projections, { store, readStore, clock });
    });

    test('finds no difference in them, and counts them', async () => {
      for (const capacity of [undefined, 2]) {
        const { ok, differences, quarantined } = await audit(capacity);
        expect({ ok, differences }).toEqual({ ok: true, differences: [] });
        expect(quarantined).toEqual([place, { projection: 'products', key: 'P-1' }]);
      }
    });

    test('finds what is wrong with what they show', async () => {
      tamper(`sections = json_set(sections, '$.order.placed.customerId', 'somebody')`, 'o-51');
      const { differences } = await audit();
      expect(differences).toMatchObject([
        { ...place, path: '/sections/order/placed/customerId', expected: 'c-2', actual: 'somebody' },
      ]);
    });

    test('finds what they say to wait for and should have applied', async () => {
      tamper(`revisions = '{}', sections = '{}'`, 'o-51');
      const { differences } = await audit();
      expect(differences).toContainEqual(
        expect.objectContaining({ ...place, path: '/revisions/order', expected: 0, actual: null }),
      );
    });

    test('finds one that passed a broken event over and does not say so', async () => {
      tamper('degraded = NULL', 'o-51');
      const { differences, quarantined } = await audit();
      expect(differences).toContainEqual(
        expect.objectContaining({ ...place, path: '/revisions/order', expected: 2, actual: 0 }),
      );
      expect(quarantined).toHaveLength(1);
    });
  });
});
