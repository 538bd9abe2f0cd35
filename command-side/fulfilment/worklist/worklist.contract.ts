import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { itemOf, openStates, worklist, type WorklistItem } from './worklist.js';
import { WorklistWriter, type WorklistDependencies, type WorklistNote } from './worklist-writer.js';
import { worklistNote } from './testing/worklist-note.js';
import { countOverdue, figuresByState, listOpen } from './worklist-figures.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { ReadStore, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';

const start = Date.parse('2026-11-21T10:00:00.000Z');
const minute = 60_000;

function moment(minutes: number): string {
  return timestamp({ time: () => new Date(start + minutes * minute) });
}

/** What a worklist asks of a store, to be changed by a test. */
function whole(readStore: ReadStore): WorklistDependencies['readStore'] {
  return {
    declare: (collection) => readStore.declare(collection),
    load: (...asked) => readStore.load(...asked),
    commit: (batch) => readStore.commit(batch),
    list: (...asked) => readStore.list(...asked),
  };
}

/** Registers the tests of the worklist over a read store that begins empty each time. */
export function worklistContract(name: string, open: () => Promise<ReadStore>): void {
  describe(`the worklist, over ${name}`, () => {
    let readStore: ReadStore;
    const clock: WallClock = { time: () => new Date(start) };

    beforeEach(async () => {
      readStore = await open();
    });
    afterEach(() => readStore.close());

    const newWorklist = (): WorklistWriter => new WorklistWriter({ readStore, clock });

    /** Orders of partition 3. */
    const orders = Array.from({ length: 3000 }, (_, index) => `o${index}`).filter((id) => partitionOf(id) === 3);

    function note(orderId: string, changes: Partial<WorklistNote> = {}): WorklistNote {
      const item = { state: 'delivering', deadline: 'courier', dueAt: moment(30), since: moment(0) } as const;
      return { ...worklistNote(orderId, 0, item), ...changes };
    }

    async function write(...notes: readonly WorklistNote[]): Promise<void> {
      const writer = newWorklist();
      for (const one of notes) writer.note(one);
      for (const partition of new Set(notes.map(({ orderId }) => partitionOf(orderId)))) await writer.flush(partition);
      await readStore.declare(worklist);
    }

    async function stored(orderId: string): Promise<StoredDocument | undefined> {
      return (await readStore.load(worklist, [orderId]))[0];
    }

    async function item(orderId: string): Promise<WorklistItem> {
      return itemOf((await stored(orderId))!);
    }

    test('says of each order its state, its deadline, and since when', async () => {
      const [orderId] = orders;
      await write(note(orderId!, { revision: 4 }));
      const found = await stored(orderId!);
      expect(found).toMatchObject({ key: orderId, partition: 3, revisions: { fulfilment: 4 }, projectedAt: moment(0) });
      const item = { state: 'delivering', deadline: 'courier', dueAt: moment(30), since: moment(0) };
      expect(itemOf(found!)).toEqual(item);
    });

    test('lists what is due in a partition, that first which is so for longest', async () => {
      const [late, later, latest, not, without] = orders;
      const elsewhere = ['a', 'b', 'c', 'd'].find((id) => partitionOf(id) !== 3)!;
      await write(
        note(latest!, { dueAt: moment(30) }),
        note(late!, { dueAt: moment(10) }),
        note(later!, { dueAt: moment(20) }),
        note(not!, { dueAt: moment(31) }),
        note(without!, { state: 'reserving', deadline: null, dueAt: null }),
        note(elsewhere, { dueAt: moment(5) }),
      );
      const now = start + 30 * minute;
      expect(await newWorklist().due(3, now, 10)).toEqual([late, later, latest]);
      expect(await newWorklist().due(3, now, 2)).toEqual([late, later]);
      expect(await newWorklist().due(3, start, 10)).toEqual([]);
    });

    test('those that stay due keep no others from their turn', async () => {
      const many = orders.slice(0, 25);
      await write(...many.map((orderId, index) => note(orderId, { dueAt: moment(index) })));
      const asking = newWorklist();
      const now = start + 60 * minute;
      const turns: (readonly string[])[] = [];
      for (let turn = 0; turn < 4; turn += 1) turns.push(await asking.due(3, now, 10));
      expect(turns).toEqual([many.slice(0, 10), many.slice(10, 20), many.slice(20), many.slice(0, 10)]);
    });

    test('what is completed is due no more, and in no list', async () => {
      const [orderId] = orders;
      await write(note(orderId!, { revision: 1 }));
      await write(note(orderId!, { revision: 2, state: 'completed', deadline: null, dueAt: null, since: moment(9) }));
      const now = start + 60 * minute;
      expect(await newWorklist().due(3, now, 10)).toEqual([]);
      expect(await listOpen(readStore, { limit: 10 })).toEqual([]);
      expect(await figuresByState(readStore, now)).toEqual({});
      expect(await item(orderId!)).toEqual({ state: 'completed', deadline: null, dueAt: null, since: moment(9) });
    });

    test('never goes back, whoever is late', async () => {
      const [orderId] = orders;
      const [one, other] = [newWorklist(), newWorklist()];
      one.note(note(orderId!, { revision: 1, state: 'confirming' }));
      await one.flush(3);
      other.note(note(orderId!, { revision: 5 }));
      await other.flush(3);
      one.note(note(orderId!, { revision: 3, state: 'compensating' }));
      await one.flush(3);
      expect(await stored(orderId!)).toMatchObject({ revisions: { fulfilment: 5 } });
      expect((await item(orderId!)).state).toBe('delivering');
      one.note(note(orderId!, { revision: 4, state: 'compensating' }));
      await one.flush(3);
      expect((await item(orderId!)).state).toBe('delivering');
    });

    test('most flushes ask for nothing', async () => {
      let loads = 0;
      const watched = {
        ...whole(readStore),
        load: (...asked: Parameters<ReadStore['load']>) => {
          loads += 1;
          return readStore.load(...asked);
        },
      };
      const writer = new WorklistWriter({ readStore: watched, clock });
      for (let revision = 0; revision < 5; revision += 1) {
        for (const orderId of orders.slice(0, 20)) writer.note(note(orderId, { revision }));
        await writer.flush(3);
      }
      expect(loads).toBe(0);
      expect(await stored(orders[19]!)).toMatchObject({ revisions: { fulfilment: 4 } });
    });

    test('what could not be written stays noted', async () => {
      let isDown = true;
      const failing = {
        ...whole(readStore),
        commit: (...asked: Parameters<ReadStore['commit']>) =>
          isDown ? Promise.reject(new Error('Gone.')) : readStore.commit(...asked),
      };
      const writer = new WorklistWriter({ readStore: failing, clock });
      writer.note(note(orders[0]!));
      await expect(writer.flush(3)).rejects.toThrow('Gone.');
      isDown = false;
      await writer.flush(3);
      expect((await item(orders[0]!)).state).toBe('delivering');
    });

    test('any lives of process managers leave the latest note, whole', async () => {
      const anyState = fc.constantFrom<WorklistItem['state']>('authorising', 'confirming', 'delivering', 'completed');
      const anyStep = fc.record({
        order: fc.nat(3),
        revision: fc.nat(12),
        writer: fc.nat(1),
      });
      const anySteps = fc.array(fc.record({ step: anyStep, flushes: fc.boolean(), dies: fc.boolean() }), {
        maxLength: 25,
      });
      let tried = 0;
      await fc.assert(
        fc.asyncProperty(anySteps, fc.array(anyState, { minLength: 13, maxLength: 13 }), async (steps, states) => {
          const ids = orders.slice(4 * tried, 4 * tried + 4);
          tried += 1;
          const writers = [newWorklist(), newWorklist()];
          const noted = [new Map<string, number>(), new Map<string, number>()];
          const latest = new Map<string, number>();
          const flush = async (index: number): Promise<void> => {
            await writers[index]!.flush(3);
            for (const [orderId, revision] of noted[index]!) {
              latest.set(orderId, Math.max(latest.get(orderId) ?? -1, revision));
            }
          };
          for (const { step, flushes, dies } of steps) {
            const { order, revision, writer } = step;
            const orderId = ids[order]!;
            if (dies) [writers[writer], noted[writer]] = [newWorklist(), new Map<string, number>()];
            writers[writer]!.note(note(orderId, { revision, state: states[revision]!, since: moment(revision) }));
            noted[writer]!.set(orderId, Math.max(noted[writer]!.get(orderId) ?? -1, revision));
            if (flushes) await flush(writer);
          }
          await Promise.all([flush(0), flush(1)]);
          await readStore.declare(worklist);
          const found = await readStore.load(worklist, [...latest.keys()]);
          expect(found).toHaveLength(latest.size);
          for (const document of found) {
            const revision = latest.get(document.key)!;
            expect(document.revisions).toEqual({ fulfilment: revision });
            expect(itemOf(document)).toMatchObject({ state: states[revision], since: moment(revision) });
          }
        }),
        { numRuns: runs(12, 90), endOnFailure: true },
      );
    });

    test('counts by state, with how many are overdue and how long they wait on average', async () => {
      const [first, second, third, fourth] = orders;
      await write(
        note(first!, { since: moment(0), dueAt: moment(10) }),
        note(second!, { since: moment(20), dueAt: moment(40) }),
        note(third!, { since: moment(20), deadline: 'delivery', dueAt: moment(60) }),
        note(fourth!, { state: 'authorising', deadline: 'payment', dueAt: moment(20), since: moment(19) }),
      );
      const now = start + 50 * minute;
      const figures = await figuresByState(readStore, now);
      expect(Object.entries(figures)).toEqual([
        ['authorising', { count: 1, meanSeconds: 31 * 60 }],
        ['delivering', { count: 3, meanSeconds: Math.round((110 / 3) * 60) }],
      ]);
      expect(await countOverdue('delivering', readStore, now)).toBe(2);
      expect(await countOverdue('delivering', readStore, now, 1)).toBe(1);
      expect(await countOverdue('reserving', readStore, now)).toBe(0);
    });

    test('shows operators what is due first first, and then what waits without a deadline', async () => {
      const [first, second, third, fourth, fifth] = orders;
      await write(
        note(first!, { dueAt: moment(40) }),
        note(second!, { state: 'reserving', deadline: null, dueAt: null, since: moment(7) }),
        note(third!, { state: 'reserving', deadline: null, dueAt: null, since: moment(3) }),
        note(fourth!, { state: 'authorising', deadline: 'payment', dueAt: moment(20) }),
        note(fifth!, { dueAt: moment(10) }),
      );
      const list = async (query: Parameters<typeof listOpen>[1]): Promise<readonly string[]> =>
        (await listOpen(readStore, query)).map(({ key }) => key);
      expect(await list({ limit: 10 })).toEqual([fifth, fourth, first, third, second]);
      expect(await list({ limit: 2 })).toEqual([fifth, fourth]);
      expect(await list({ limit: 10, overdueAt: start + 20 * minute })).toEqual([fifth, fourth]);
      expect(await list({ limit: 10, states: ['reserving'] })).toEqual([third, second]);
    });

    test('counts more than a page of what is overdue', async () => {
      await write(...Array.from({ length: 1100 }, (_, index) => note(`many-${index}`, { dueAt: moment(1) })));
      expect(await countOverdue('delivering', readStore, start + 2 * minute)).toBe(1100);
      expect(await countOverdue('delivering', readStore, start + 2 * minute, 1000)).toBe(1000);
    });

    test('every state is counted', async () => {
      await write(...openStates.map((state) => note(`at-${state}`, { state })));
      expect(Object.keys(await figuresByState(readStore, start))).toEqual([...openStates]);
    });
  });
}
