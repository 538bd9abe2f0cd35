import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import type { StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { StreamCut } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import {
  assigned,
  confirmed,
  onFulfilment,
  onPayment,
  placed,
  positionAt,
  scheduled,
  type Happening,
} from '../testing/history.js';
import { streamsOf } from './order.js';
import { readTimeline, readTimelinePages, timelineStart, type TimelinePage, type TimelinePlace } from './timeline.js';

const minute = (number: number) => new Date(Date.UTC(2026, 0, 1, 0, number)).toISOString();
const delivery = `delivery-${deliveryIdOf('o1')}`;

let store: MemoryEventStore;
let revisions: Map<string, number>;
beforeEach(begin);

function begin(): void {
  store = new MemoryEventStore(virtualClock('2026-01-01T00:00:00Z'));
  revisions = new Map();
}

async function happen({ stream, event }: Happening): Promise<void> {
  const { revision } = await store.append(stream, revisions.get(stream) ?? -1, [event]);
  revisions.set(stream, revision);
}

async function pagesOf(limit: number, between = async () => {}): Promise<readonly TimelinePage[]> {
  const pages: TimelinePage[] = [];
  for (let place: TimelinePlace | undefined = timelineStart; place !== undefined;) {
    const page: TimelinePage = await readTimeline(store, 'o1', place, limit);
    pages.push(page);
    place = page.next;
    if (place !== undefined) await between();
  }
  return pages;
}

const nameOf = ({ stream, revision }: RecordedEvent) => `${stream} ${revision}`;

describe('a timeline', () => {
  const anyStep = fc.record({ which: fc.nat(3), at: fc.nat(30) });

  function happeningOf({ which, at }: { readonly which: number; readonly at: number }): Happening {
    const time = { at: minute(at) };
    const data = { orderId: 'o1' };
    switch (which) {
      case 0:
        return confirmed('o1', time);
      case 1:
        return onPayment('o1', { type: 'PaymentVoided', data }, time);
      case 2:
        return onFulfilment('o1', { type: 'FulfilmentStockReleased', data }, time);
      default:
        return positionAt('o1', 52, minute(at));
    }
  }

  test('is the same whole in pages of any size, each full but the last, and never shows a stream against its revisions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), fc.integer({ min: 1, max: 12 }), async (steps, limit) => {
        begin();
        await happen(placed('o1', { at: minute(15) }));
        for (const step of steps) await happen(happeningOf(step));
        const pages = await pagesOf(limit);
        for (const [index, { events }] of pages.entries()) {
          if (index < pages.length - 1) expect(events).toHaveLength(limit);
        }
        const paged = pages.flatMap(({ events }) => events);
        const whole = (await pagesOf(1_000)).flatMap(({ events }) => events);
        expect(paged.map(nameOf)).toEqual(whole.map(nameOf));
        expect(whole).toHaveLength(steps.length + 1);
        for (const stream of streamsOf('o1')) {
          const shown = whole.filter((event) => event.stream === stream).map(({ revision }) => revision);
          expect(shown).toEqual(shown.map((_, index) => index));
        }
      }),
    );
  });

  test('is in the order in which it happened where every stream is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 30 }), fc.integer({ min: 1, max: 7 }), async (steps, limit) => {
        begin();
        const inTime = steps.toSorted((one, other) => one.at - other.at);
        for (const step of inTime) await happen(happeningOf(step));
        const shown = (await pagesOf(limit)).flatMap(({ events }) => events);
        expect(shown.map(({ occurredAt }) => occurredAt)).toEqual(inTime.map(({ at }) => minute(at)));
        expect(shown.map(({ position }) => position)).toEqual(inTime.map((_, index) => index + 1));
      }),
    );
  });

  test('shows what happens while somebody pages later, and nothing twice', async () => {
    await happen(placed('o1', { at: minute(1) }));
    for (let at = 0; at < 5; at += 1) await happen(positionAt('o1', 52, minute(at)));
    const pages = await pagesOf(2, () =>
      happen(onPayment('o1', { type: 'PaymentVoided', data: { orderId: 'o1' } }, { at: minute(0) })),
    );
    const names = pages.flatMap(({ events }) => events.map(nameOf));
    expect(names).toHaveLength(await store.head());
    expect(new Set(names).size).toBe(names.length);
  });

  test('reads no more of any stream than a page may hold, and one', async () => {
    await happen(placed('o1'));
    for (let at = 0; at < 450; at += 1) await happen(positionAt('o1', 52, minute(at)));
    const found: number[] = [];
    const counting: StreamReader = {
      cutOf: (stream) => store.cutOf(stream),
      readStream: async (stream, from, limit) => {
        const events = await store.readStream(stream, from, limit);
        found.push(events.length);
        return events;
      },
    };
    const sizes: number[] = [];
    for await (const { events } of readTimelinePages(counting, 'o1', { size: 200 })) sizes.push(events.length);
    expect(sizes).toEqual([200, 200, 51]);
    expect(Math.max(...found)).toBe(201);
    expect(found).toHaveLength(3 * 4);
  });

  test('is read so far and no further, from where one left off, and the event loop turns between pages', async () => {
    await happen(placed('o1'));
    for (let at = 0; at < 300; at += 1) await happen(positionAt('o1', 52, minute(at)));
    let turned = 0;
    const count = (): void => {
      turned += 1;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    const read = async (from: TimelinePlace, limit: number) => {
      const pages: (readonly [number, number])[] = [];
      let next: TimelinePlace | undefined;
      for await (const page of readTimelinePages(store, 'o1', { size: 60, from, limit })) {
        pages.push([page.events.length, turned]);
        ({ next } = page);
      }
      expect(new Set(pages.map(([, turn]) => turn)).size).toBe(pages.length);
      return { sizes: pages.map(([size]) => size), next };
    };
    const first = await read(timelineStart, 200);
    expect(first.sizes).toEqual([60, 60, 60, 20]);
    const rest = await read(first.next!, Infinity);
    expect(rest).toEqual({ sizes: [60, 41], next: undefined });
    clearImmediate(immediate);
  });

  test('of a stream that was cut meanwhile says so', async () => {
    await happen(placed('o1'));
    for (let at = 0; at < 300; at += 1) await happen(positionAt('o1', 52, minute(at)));
    const { next } = await readTimeline(store, 'o1', timelineStart, 150);
    store.truncate(delivery, Infinity);
    await expect(readTimeline(store, 'o1', next!, 150)).rejects.toThrow(StreamCut);
  });

  test('of a stream that is expected and gone says so on its first page, however short that is', async () => {
    for (const happening of [placed('o1'), confirmed('o1'), scheduled('o1'), assigned('o1')]) await happen(happening);
    store.truncate(delivery, Infinity);
    await expect(readTimeline(store, 'o1', timelineStart, 1)).rejects.toThrow(StreamCut);
  });
});
