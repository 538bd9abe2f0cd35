import { describe, expect, test } from '@jest/globals';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { largestPage, noStream, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { FormerRequests } from './former-requests.js';
import { stores } from '../testing/stores.js';

const clock = virtualClock('2026-01-01T10:00:00Z');
const event = (type: string, change: Partial<NewEvent> = {}): NewEvent => {
  const id = systemRandomness.uuid();
  const envelope = { id, correlationId: id, causationId: id, partitionKey: 'p', schemaVersion: 1 };
  return { ...envelope, type, occurredAt: '2026-01-01T10:00:00.000Z', data: {}, ...change };
};
const asked = (hash: string) => ({ id: systemRandomness.uuid(), hash, subject: 'ann' });

const pointer = event('RequestDirected', { schemaVersion: 2 });
const oldPointer = event('RequestDirected');
const byClient = event('OrderPlaced', { request: asked('hash') });
const byRule = event('StockReserved', { request: asked('') });
const byNobody = event('OrderPlaced');

describe.each(stores)('whether a log may know requests by former ids, %s', (_, open) => {
  async function withLog(work: (log: EventStore, has: (event: NewEvent) => Promise<unknown>) => Promise<void>) {
    const { store, dispose } = await open(clock);
    let streams = 0;
    try {
      await work(store, (event) => store.append(`order-${(streams += 1)}`, noStream, [event]));
    } finally {
      await dispose();
    }
  }

  test.each<[string, boolean, readonly NewEvent[]]>([
    ['nothing', false, []],
    ['a pointer of now first', false, [pointer, byClient, byClient]],
    ['what was made without a pointer first', true, [byClient, pointer]],
    ['a pointer of before first', true, [oldPointer, byClient, pointer]],
    ['imports and stock, then a pointer of now', false, [byNobody, byRule, pointer, byClient]],
    ['imports and stock, then what was made without a pointer', true, [byNobody, byRule, byClient]],
    ['imports and stock', false, [byNobody, byRule]],
  ])('%s: %s', (_case, mayBeThere, events) =>
    withLog(async (log, has) => {
      for (const event of events) await has(event);
      const former = new FormerRequests(log);
      expect([await former.mayBeThere(), await former.mayBeThere()]).toEqual([mayBeThere, mayBeThere]);
    }),
  );

  test('the log is read once, and on where nothing tells yet', () =>
    withLog(async (log, has) => {
      const read: number[] = [];
      const former = new FormerRequests({
        readAll: (after, limit) => (read.push(after), log.readAll(after, limit)),
      });
      await has(byNobody);
      expect(await former.mayBeThere()).toBe(false);
      const end = await log.head();
      await has(oldPointer);
      expect(await Promise.all([former.mayBeThere(), former.mayBeThere()])).toEqual([true, true]);
      expect(await former.mayBeThere()).toBe(true);
      expect(read).toEqual([0, end]);
    }));

  test('while the log is not read through, they may be there', () =>
    withLog(async (log, has) => {
      const imported = Array.from({ length: largestPage }, () => event('OrderPlaced'));
      await log.append('order-imported', noStream, imported);
      await has(pointer);
      const former = new FormerRequests(log);
      expect([await former.mayBeThere(), await former.mayBeThere()]).toEqual([true, false]);
    }));
});
