import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EventFromTheFuture, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { largestSections, type ReadStore, type StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Sections } from '@waybill/shared-kernel/projection.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { catchUp } from '../projecting/catch-up.js';
import { deliveries } from '../read-models/deliveries.js';
import { orders } from '../read-models/orders.js';
import { PartitionProjector } from '../projecting/project.js';
import { fragile, type Break } from '../testing/fragile.js';
import {
  broken,
  cancelled,
  confirmed,
  dispatched,
  onOrder,
  pickedUp,
  placed,
  scheduled,
  type Happening,
} from '../testing/history.js';
import { appendAll, documentsOf, foldOf, straightFold, type Comparable } from '../testing/logs.js';
import { OrdersBench } from '../testing/orders-bench.js';
import { randomHistory } from '../testing/random-history.js';
import type { QuarantineNotice } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { releaseDocument } from './fold-or-quarantine.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

const { collection } = orders;

class Bench extends OrdersBench {
  readonly dependencies = { store: this.log, readStore: this.readStore, clock: this.clock };

  async find(key: string): Promise<StoredDocument | undefined> {
    return (await this.readStore.load(collection, [key]))[0];
  }

  async quarantine(): Promise<readonly string[]> {
    return (await this.readStore.quarantined(collection, undefined, 1000)).map(({ key }) => key);
  }

  documents(): Promise<readonly Comparable[]> {
    return documentsOf(this.readStore, orders);
  }
}

/** What the log makes where the documents of broken events stand still before the first of them. */
async function foldUpToBreaks(bench: Bench, breaks: ReadonlyMap<string, Break>): Promise<readonly Comparable[]> {
  const stopped = new Set<string>();
  const applied = (await bench.events()).filter((event) => {
    if (breaks.has(event.id)) stopped.add(orders.key(event));
    return !stopped.has(orders.key(event));
  });
  const empty = [...stopped].filter((key) => !applied.some((event) => orders.key(event) === key));
  return foldOf(applied, orders, empty);
}

async function brokenKeys(bench: Bench, breaks: ReadonlyMap<string, Break>): Promise<readonly string[]> {
  const broken = (await bench.events()).filter(({ id }) => breaks.has(id));
  return [...new Set(broken.map(orders.key))].sort();
}

/** Throws for an order that was dispatched. */
function onlyPlaced(sections: Sections): Sections {
  const { dispatchedAt } = (sections.order ?? { dispatchedAt: null }) as { readonly dispatchedAt: string | null };
  if (dispatchedAt !== null) throw new TypeError('nobody dispatches orders');
  return sections;
}

const life = [placed('o1'), confirmed('o1'), scheduled('o1'), dispatched('o1'), pickedUp('o1')];
const partition = partitionOf('o1');

describe('an event that cannot be applied', () => {
  let bench: Bench;
  let events: readonly RecordedEvent[];
  beforeEach(async () => {
    bench = await Bench.open(life);
    events = await bench.events();
  });
  afterEach(() => bench.end());

  const breaking = (index: number, where: Break = 'fold', isMended?: () => boolean): Projection =>
    fragile(orders, new Map([[events[index]!.id, where]]), isMended);
  const projector = (projection: Projection) => new PartitionProjector(projection, partition, bench.dependencies);

  test.each<[Break, string]>([
    ['fold', 'TypeError: this event makes no sense'],
    ['fields', 'TypeError: these sections make no sense'],
    ['store', 'DocumentNotStorable: Its field customerId takes text, not object.'],
  ])('in its %s quarantines its document, which stays as it was before it', async (where, error) => {
    const notices: QuarantineNotice[] = [];
    const quarantined = (notice: QuarantineNotice): void => void notices.push(notice);
    const told = new PartitionProjector(breaking(1, where), partition, { ...bench.dependencies, quarantined });
    await told.apply(events.slice(0, 4), at(4));
    await told.apply(events.slice(0, 4), at(4));
    const document = await bench.find('o1');
    const { id, stream } = events[1]!;
    expect(notices).toEqual([
      { projection: 'orders', key: 'o1', event: { id, stream, type: 'OrderConfirmed' }, error },
    ]);
    expect(document).toMatchObject({
      revisions: { order: 0 },
      degraded: {
        since: '2026-03-01T12:00:00.000Z',
        triedAt: '2026-03-01T12:00:00.000Z',
        error,
        event: { id, stream, revision: 1, position: 2, type: 'OrderConfirmed' },
        seen: { order: 2, delivery: 1 },
      },
    });
    expect(await bench.readStore.position(collection, partition)).toEqual(at(4));
  });

  test('lets no later event in, and counts how far they go', async () => {
    const fragileProjector = projector(breaking(1));
    for (const [index, event] of events.entries()) await fragileProjector.apply([event], at(index + 1));
    await appendAll(bench.log, [cancelled('o1')]);
    const last = (await bench.events()).at(-1)!;
    await projector(breaking(1)).apply([last], at(6));
    expect(await bench.find('o1')).toMatchObject({ revisions: { order: 0 }, degraded: { seen: { order: 3 } } });
    expect(await bench.readStore.position(collection, partition)).toEqual(at(6));
  });

  test('where it is the first of its document leaves an empty one, that no list shows', async () => {
    await projector(breaking(0)).apply(events, at(5));
    expect(await bench.find('o1')).toMatchObject({ revisions: {}, sections: {}, degraded: { seen: { order: 2 } } });
    expect(await bench.readStore.list(collection, { limit: 10 })).toEqual([]);
    await projector(breaking(0)).apply(events, at(5));
    expect(await bench.quarantine()).toEqual(['o1']);
  });

  test('where its payload cannot be upcast is quarantined too', async () => {
    const old = onOrder('o2', { type: 'OrderConfirmed', data: { orderId: 'o2' } });
    await appendAll(bench.log, [placed('o2'), { ...old, event: { ...old.event, schemaVersion: 0 } }]);
    const { halted } = await catchUp([orders], bench.dependencies);
    expect(halted).toEqual([]);
    expect(await bench.find('o2')).toMatchObject({
      revisions: { order: 0 },
      degraded: { error: 'Error: no upcaster for OrderConfirmed version 0' },
    });
  });

  test('where the document gets too large for any store is the one that made it so', async () => {
    const swelling: Projection = {
      ...orders,
      fold: (section, event) => {
        const folded = orders.fold(section, event);
        return event.type === 'OrderDispatched'
          ? { ...(folded as object), ballast: 'x'.repeat(largestSections) }
          : folded;
      },
    };
    await projector(swelling).apply(events, at(5));
    expect(await bench.find('o1')).toMatchObject({
      revisions: { order: 1, delivery: 0 },
      degraded: { event: { type: 'OrderDispatched' } },
    });
  });

  test('from the future is none of these: it pauses', async () => {
    const future = onOrder('o1', { type: 'OrderConfirmed', data: { orderId: 'o1' } });
    await appendAll(bench.log, [{ ...future, event: { ...future.event, schemaVersion: 9 } }]);
    const all = await bench.events();
    await expect(projector(orders).apply(all, at(6))).rejects.toBeInstanceOf(EventFromTheFuture);
    await projector(breaking(1)).apply(all.slice(0, 5), at(5));
    expect(await bench.quarantine()).toEqual(['o1']);
    expect(await releaseDocument(orders, 'o1', bench.dependencies)).not.toHaveProperty('degraded');
    expect((await bench.find('o1'))?.revisions).toEqual({ order: 2, delivery: 1 });
  });

  test('is noted again without harm where the position did not move behind it', async () => {
    const faulty = {
      ...bench.dependencies,
      readStore: {
        load: (...of: Parameters<ReadStore['load']>) => bench.readStore.load(...of),
        commit: async (batch: Parameters<ReadStore['commit']>[0]) => {
          if (batch.position.through > 0) throw new Unavailable('read store', 'Gone.');
          return bench.readStore.commit(batch);
        },
      },
    };
    const dying = new PartitionProjector(breaking(1), partition, faulty);
    await expect(dying.apply(events, at(5))).rejects.toThrow('Gone.');
    const before = await bench.find('o1');
    expect(before).toHaveProperty('degraded');
    bench.clock.advance(1000);
    await projector(breaking(1)).apply(events, at(5));
    expect(await bench.find('o1')).toEqual(before);
  });

  test('makes a document of another program, of which this one makes nothing, stand before it all the same', async () => {
    await projector(orders).apply(events, at(5));
    const senseless: Projection = { ...orders, fields: (sections: Sections) => orders.fields(onlyPlaced(sections)) };
    await appendAll(bench.log, [broken(cancelled('o1'))]);
    await projector(senseless).apply((await bench.events()).slice(5), at(6));
    expect(await bench.find('o1')).toMatchObject({ revisions: { order: 1, delivery: 0 }, degraded: {} });
  });

  test('that the log does not show yet is tried again', async () => {
    const blind = {
      ...bench.dependencies,
      store: { readStream: () => Promise.resolve([]), cutOf: () => Promise.resolve(undefined) },
    };
    const early = new PartitionProjector(breaking(1), partition, blind);
    await expect(early.apply(events.slice(0, 2), at(2))).rejects.toThrow(
      'The log does not show revision 1 of order-o1 yet.',
    );
    expect(await bench.find('o1')).toBeUndefined();
  });

  describe('when its document is released', () => {
    test('is folded with all that waited, once it can be', async () => {
      await projector(breaking(1)).apply(events, at(5));
      expect(await releaseDocument(orders, 'o1', bench.dependencies)).not.toHaveProperty('degraded');
      expect(await bench.documents()).toEqual(await straightFold(bench.log, orders));
      expect(await bench.quarantine()).toEqual([]);
      expect(await releaseDocument(orders, 'o1', bench.dependencies)).toBeUndefined();
    });

    test('keeps it quarantined with the newer error where it fails again', async () => {
      await projector(breaking(1)).apply(events, at(5));
      bench.clock.advance(60_000);
      const again = await releaseDocument(breaking(3, 'fields'), 'o1', bench.dependencies);
      expect(again).toEqual(await bench.find('o1'));
      expect(again).toMatchObject({
        revisions: { order: 1, delivery: 0 },
        degraded: {
          since: '2026-03-01T12:00:00.000Z',
          triedAt: '2026-03-01T12:01:00.000Z',
          error: 'TypeError: these sections make no sense',
          event: { type: 'OrderDispatched' },
        },
      });
    });

    test('takes nothing out of it that another program could fold', async () => {
      await projector(breaking(3)).apply(events, at(5));
      const before = await bench.find('o1');
      const again = await releaseDocument(breaking(1), 'o1', bench.dependencies);
      expect(again?.sections).toEqual(before?.sections);
      expect(again).toMatchObject({ revisions: before!.revisions, degraded: { event: { type: 'OrderConfirmed' } } });
    });

    test('is noticed by a projector that remembers the quarantine', async () => {
      const remembering = projector(breaking(1));
      await remembering.apply(events, at(5));
      await releaseDocument(orders, 'o1', bench.dependencies);
      await appendAll(bench.log, [cancelled('o1')]);
      await remembering.apply((await bench.events()).slice(5), at(6));
      expect(await bench.documents()).toEqual(await straightFold(bench.log, orders));
    });

    test('misses nothing that a projector passes by meanwhile', async () => {
      const running = projector(breaking(1));
      await running.apply(events, at(5));
      let commits = 0;
      const dependencies = {
        ...bench.dependencies,
        readStore: {
          load: (...of: Parameters<ReadStore['load']>) => bench.readStore.load(...of),
          commit: async (batch: Parameters<ReadStore['commit']>[0]) => {
            commits += 1;
            if (commits === 1) {
              await appendAll(bench.log, [cancelled('o1')]);
              await running.apply((await bench.events()).slice(5), at(6));
            }
            return bench.readStore.commit(batch);
          },
        },
      };
      expect(await releaseDocument(orders, 'o1', dependencies)).not.toHaveProperty('degraded');
      expect(commits).toBe(2);
      expect(await bench.documents()).toEqual(await straightFold(bench.log, orders));
    });
  });
});

describe('quarantine', () => {
  const wheres = fc.array(fc.tuple(fc.nat(1000), fc.constantFrom<Break>('fold', 'fields', 'store')), { maxLength: 4 });
  const course = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
    again: fc.array(fc.nat(1000), { maxLength: 5 }),
    restarts: fc.array(fc.nat(9), { maxLength: 4 }),
    remembered: fc.constantFrom(0, 1, 1000),
  });
  interface Course {
    readonly sizes: readonly number[];
    readonly again: readonly number[];
    readonly restarts: readonly number[];
    readonly remembered: number;
  }

  async function open(
    happenings: readonly Happening[],
    picks: readonly (readonly [number, Break])[],
  ): Promise<[Bench, ReadonlyMap<string, Break>]> {
    const bench = await Bench.open(happenings);
    const events = await bench.events();
    const breaks = picks.flatMap(([pick, where]) =>
      events.length === 0 ? [] : [[pick % events.length, where] as const],
    );
    return [bench, new Map(breaks.map(([index, where]) => [events[index]!.id, where]))];
  }

  /** Projects the log as one partition: in batches, with repeats, and now and then anew. Told after each batch. */
  async function run(
    bench: Bench,
    projection: Projection,
    { sizes, again, restarts, remembered }: Course,
    between: (turn: number) => Promise<void> | void = () => undefined,
  ): Promise<void> {
    const events = await bench.events();
    const begin = () => new PartitionProjector(projection, 0, bench.dependencies, remembered);
    let projector = begin();
    for (let start = 0, turn = 0; start < events.length; turn += 1) {
      const batch = events.slice(start, start + sizes[turn % sizes.length]!);
      const end = batch.at(-1)!.position;
      const repeats = again.map((pick) => events[pick % events.length]!).filter(({ position }) => position <= end);
      await projector.apply([...repeats, ...batch], at(end));
      if (restarts.includes(turn)) projector = begin();
      start += batch.length;
      await between(turn);
    }
  }

  async function releaseAll(bench: Bench, projection: Projection): Promise<void> {
    for (const key of await bench.quarantine()) await releaseDocument(projection, key, bench.dependencies);
  }

  test('stops the documents of broken events before them and no other, and release makes all whole', async () => {
    await fc.assert(
      fc.asyncProperty(randomHistory(), wheres, course, async (happenings, picks, how) => {
        const [bench, breaks] = await open(happenings, picks);
        await run(bench, fragile(orders, breaks), how);
        expect(await bench.documents()).toEqual(await foldUpToBreaks(bench, breaks));
        expect(await bench.quarantine()).toEqual(await brokenKeys(bench, breaks));
        await releaseAll(bench, fragile(orders, breaks));
        expect(await bench.documents()).toEqual(await foldUpToBreaks(bench, breaks));
        await releaseAll(bench, orders);
        expect(await bench.quarantine()).toEqual([]);
        expect(await bench.documents()).toEqual(await straightFold(bench.log, orders));
        await bench.end();
      }),
      { numRuns: runs(40, 400) },
    );
  });

  test('is the same when the log is caught up with', async () => {
    await fc.assert(
      fc.asyncProperty(randomHistory(), wheres, async (happenings, picks) => {
        const [bench, breaks] = await open(happenings, picks);
        const { halted } = await catchUp([fragile(orders, breaks), deliveries], bench.dependencies);
        expect(halted).toEqual([]);
        expect(await bench.documents()).toEqual(await foldUpToBreaks(bench, breaks));
        expect(await documentsOf(bench.readStore, deliveries)).toEqual(await straightFold(bench.log, deliveries));
        await bench.end();
      }),
      { numRuns: runs(15, 150) },
    );
  });

  test('ends in the straight fold, however releases fall among the batches of projectors that are not mended', async () => {
    await fc.assert(
      fc.asyncProperty(
        randomHistory(),
        wheres,
        course,
        course,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
        async (happenings, picks, how, otherwise, releases) => {
          const [bench, breaks] = await open(happenings, picks);
          const broken = fragile(orders, breaks);
          const pending: Promise<void>[] = [];
          const between = (turn: number) => {
            if (releases[turn % releases.length]!) pending.push(releaseAll(bench, orders));
          };
          await Promise.all([run(bench, broken, how, between), run(bench, broken, otherwise)]);
          await Promise.all(pending);
          await releaseAll(bench, orders);
          expect(await bench.quarantine()).toEqual([]);
          expect(await bench.documents()).toEqual(await straightFold(bench.log, orders));
          await bench.end();
        },
      ),
      { numRuns: runs(30, 300) },
    );
  });
});
