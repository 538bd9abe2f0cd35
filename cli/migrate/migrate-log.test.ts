import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import {
  openEventStoreDb,
  type EventStoreDbEventStore,
} from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { noteMissingServers, servers } from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore, LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import type { Run } from './appends.js';
import { migrateLog, type AdoptingLog } from './migrate-log.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const answerTimeoutMs = 20_000;

noteMissingServers();

/** An append to one of a few streams. */
interface Appending {
  readonly stream: number;
  readonly events: number;
  /** Milliseconds since the one before. */
  readonly later: number;
}

const appendings: fc.Arbitrary<readonly Appending[]> = fc.array(
  fc.record({ stream: fc.nat(3), events: fc.integer({ min: 1, max: 4 }), later: fc.nat(1) }),
  { minLength: 1, maxLength: 25 },
);

interface Source {
  readonly log: EventStore;
  readonly events: readonly RecordedEvent[];
  /** Ids of what was appended together. */
  readonly together: readonly (readonly string[])[];
}

async function sourceOf(appends: readonly Appending[]): Promise<Source> {
  let now = Date.parse('2025-12-24T00:00:00.000Z');
  const log = new MemoryEventStore({ time: () => new Date(now) });
  const name = randomUUID();
  const revisions = new Map<number, number>();
  const together: string[][] = [];
  for (const { stream, events: count, later } of appends) {
    now += later;
    const events = Array.from({ length: count }, () => withEverything(newEvent()));
    const { revision } = await log.append(`order-${name}-${stream}`, revisions.get(stream) ?? -1, events);
    revisions.set(stream, revision);
    together.push(events.map(({ id }) => id));
  }
  return { log, events: await wholeLog(log), together };
}

function withEverything(event: NewEvent): NewEvent {
  return {
    ...event,
    occurredAt: '2025-12-23T22:00:00.000Z',
    causationId: randomUUID(),
    actor: { sub: 'ada', role: 'customer' },
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    request: { id: randomUUID(), hash: 'hash', subject: 'ada' },
    imported: true,
    data: { ...event.data, name: 'Grüner Tee 茶', lines: [{ quantity: 1, freight: null }] },
  };
}

/** As much of a server's log as is of the streams of a source: a server of many tests holds others as well. */
function partOf(server: EventStoreDbEventStore, { events: ours }: Source, start: number): AdoptingLog {
  const streams = new Set(ours.map(({ stream }) => stream));
  return {
    adopt: (stream, expected, events) => server.adopt(stream, expected, events),
    readAll: async (after, limit) => {
      const page = await server.readAll(Math.max(after, start), limit);
      return { ...page, events: page.events.filter(({ stream }) => streams.has(stream)) };
    },
  };
}

function withoutPosition({ position, ...event }: RecordedEvent): Omit<RecordedEvent, 'position'> {
  return event;
}

async function all(log: LogPages): Promise<readonly Omit<RecordedEvent, 'position'>[]> {
  return (await wholeLog(log)).map(withoutPosition);
}

for (const { name, start } of servers) {
  describe(`migrating to ${name}`, () => {
    let server: EventStoreDbEventStore;
    let dispose: () => Promise<void>;

    beforeAll(async () => {
      let url: string;
      ({ url, dispose } = await start());
      server = openEventStoreDb(url, { answerTimeoutMs });
    });

    afterAll(async () => {
      await server.close();
      await dispose();
    });

    async function targetFor(source: Source): Promise<AdoptingLog> {
      return partOf(server, source, await server.head());
    }

    test('gives the same log: order, times, envelope and data, what was appended together still together', async () => {
      const appended: Run[] = [];
      await fc.assert(
        fc.asyncProperty(appendings, async (appends) => {
          const source = await sourceOf(appends);
          const target = await targetFor(source);
          appended.splice(0);
          const noting: AdoptingLog = {
            ...target,
            adopt: (stream, expected, run) => {
              appended.push(run);
              return target.adopt(stream, expected, run);
            },
          };
          const {
            copied,
            appends: count,
            comparison,
          } = await migrateLog({
            source: source.log,
            target: noting,
            clock: steadyClock,
          });
          expect(await all(target)).toEqual(source.events.map(withoutPosition));
          expect({ copied, count }).toEqual({ copied: source.events.length, count: appended.length });
          expect(comparison).toMatchObject({ equal: copied, difference: null, isPrefix: false });
          expect(comparison.digests.target).toBe(comparison.digests.source);
          for (const ids of source.together) {
            expect(appended.some((run) => ids.every((id) => run.some((event) => event.id === id)))).toBe(true);
          }
        }),
        { numRuns: runs(4, 30) },
      );
    });

    test('stopped after any append, whether that got through or not, it goes on where it was', async () => {
      await fc.assert(
        fc.asyncProperty(appendings, fc.nat(6), fc.boolean(), async (appends, stopAfter, getsThrough) => {
          const source = await sourceOf(appends);
          const target = await targetFor(source);
          let left = stopAfter;
          const stopping: AdoptingLog = {
            ...target,
            adopt: async (stream, expected, run) => {
              left -= 1;
              if (left >= 0 || getsThrough) await target.adopt(stream, expected, run);
              if (left < 0) throw new Unavailable('event store', 'stopped');
              return { revision: 0, position: 0 };
            },
          };
          const dependencies = { source: source.log, clock: steadyClock };
          await migrateLog({ ...dependencies, target: stopping }).catch((error: unknown) => {
            expect(error).toBeInstanceOf(Unavailable);
          });
          await migrateLog({ ...dependencies, target });
          expect(await all(target)).toEqual(source.events.map(withoutPosition));
          expect(await migrateLog({ ...dependencies, target })).toMatchObject({
            copied: 0,
            comparison: { difference: null },
          });
        }),
        { numRuns: runs(4, 30) },
      );
    });

    test('an append of a run that was killed may come in late, and cut otherwise', async () => {
      const source = await sourceOf([{ stream: 0, events: 3, later: 0 }, ...several]);
      const target = await targetFor(source);
      let isFirst = true;
      const late: AdoptingLog = {
        ...target,
        adopt: async (stream, expected, run) => {
          if (isFirst) await target.adopt(stream, expected, run.slice(0, 2));
          isFirst = false;
          return target.adopt(stream, expected, run);
        },
      };
      const { comparison } = await migrateLog({ source: source.log, target: late, clock: steadyClock });
      expect(comparison).toMatchObject({ equal: source.events.length, difference: null });
      expect(await all(target)).toEqual(source.events.map(withoutPosition));
    });

    describe('leaves alone a target that', () => {
      async function refusedBy(source: Source, target: AdoptingLog): Promise<unknown> {
        const before = await all(target);
        const { copied, comparison } = await migrateLog({ source: source.log, target, clock: steadyClock });
        expect(copied).toBe(0);
        expect(await all(target)).toEqual(before);
        return comparison.difference;
      }

      test('has another event where ours would go', async () => {
        const source = await sourceOf(several);
        const target = await targetFor(source);
        const [first] = source.events;
        await target.adopt(first!.stream, -1, [{ ...first!, id: randomUUID() }]);
        expect(await refusedBy(source, target)).toMatchObject({ number: 1, fields: ['id'] });
      });

      test('has our event with other data, or another time', async () => {
        const source = await sourceOf(several);
        const target = await targetFor(source);
        const [first, second] = source.events;
        await target.adopt(first!.stream, -1, [first!]);
        const other = { ...second!, data: { ...second!.data, total: 1 }, recordedAt: '2025-12-25T00:00:00.000Z' };
        await target.adopt(second!.stream, second!.revision - 1, [other]);
        expect(await refusedBy(source, target)).toEqual({
          number: 2,
          source: { stream: second!.stream, revision: second!.revision, id: second!.id, type: second!.type },
          target: { stream: second!.stream, revision: second!.revision, id: second!.id, type: second!.type },
          fields: ['data', 'recordedAt'],
        });
      });

      test('has gone on by itself', async () => {
        const source = await sourceOf(several);
        const target = await targetFor(source);
        await migrateLog({ source: source.log, target, clock: steadyClock });
        const last = source.events.at(-1)!;
        await target.adopt(last.stream, last.revision, [{ ...last, id: randomUUID() }]);
        expect(await refusedBy(source, target)).toMatchObject({ number: source.events.length + 1, source: null });
      });
    });
  });
}

const several: readonly Appending[] = [
  { stream: 0, events: 1, later: 1 },
  { stream: 0, events: 2, later: 1 },
  { stream: 1, events: 1, later: 0 },
  { stream: 0, events: 1, later: 1 },
];

describe('migrating to a server', () => {
  const ending: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const end of ending.splice(0).reverse()) await end();
  });

  async function standIn(): Promise<{ readonly server: StandInServer; readonly target: EventStoreDbEventStore }> {
    const server = await StandInServer.listen();
    const target = openEventStoreDb(server.url, { answerTimeoutMs });
    ending.push(
      () => server.kill(),
      () => target.close(),
    );
    return { server, target };
  }

  test('that loses answers, and appends on their way, doubles nothing and leaves nothing out', async () => {
    await fc.assert(
      fc.asyncProperty(appendings, fc.array(fc.constantFrom('answer', 'append', 'none')), async (appends, losses) => {
        const source = await sourceOf(appends);
        const { server, target } = await standIn();
        const next = losses.values();
        const losing: AdoptingLog = {
          readAll: (after, limit) => target.readAll(after, limit),
          adopt: (stream, expected, run) => {
            const loss = next.next().value ?? 'none';
            if (loss !== 'none') server.loseNext(loss);
            return target.adopt(stream, expected, run);
          },
        };
        const { comparison } = await migrateLog({ source: source.log, target: losing, clock: steadyClock });
        expect(comparison).toMatchObject({ equal: source.events.length, difference: null });
        expect(await all(target)).toEqual(source.events.map(withoutPosition));
      }),
      { numRuns: runs(4, 30) },
    );
  });

  describe('that refuses what it shows to be next', () => {
    /** Refuses each of these asks, the first being 1; more asks than may ever come are a fault. */
    function conflicting(target: AdoptingLog, isRefused: (ask: number) => boolean): AdoptingLog {
      let asks = 0;
      return {
        readAll: (after, limit) => target.readAll(after, limit),
        adopt: (stream, expected, run) => {
          asks += 1;
          if (asks > 100) throw new Error('It is asked for ever.');
          if (isRefused(asks)) throw new WrongExpectedRevision(stream, expected, expected + 1);
          return target.adopt(stream, expected, run);
        },
      };
    }

    test.each([
      ['its first append', 1, 0],
      ['a later one', 3, 4],
    ])('for ever, at %s, ends it: what is there stays', async (_, from, events) => {
      const source = await sourceOf(several);
      const { target } = await standIn();
      const refusing = conflicting(target, (ask) => ask >= from);
      const migrating = migrateLog({ source: source.log, target: refusing, clock: steadyClock });
      await expect(migrating).rejects.toBeInstanceOf(WrongExpectedRevision);
      expect(await all(target)).toEqual(source.events.slice(0, events).map(withoutPosition));
    });

    test('for a moment, at one place and then at another, does not', async () => {
      const source = await sourceOf(several);
      const { target } = await standIn();
      const refusing = conflicting(target, (ask) => ask === 2 || ask === 4);
      await migrateLog({ source: source.log, target: refusing, clock: steadyClock });
      expect(await all(target)).toEqual(source.events.map(withoutPosition));
    });
  });

  describe('that takes 1 MiB at once', () => {
    const kilobytes = (count: number): NewEvent => ({ ...newEvent(), data: { text: 'x'.repeat(count * 1024) } });

    test('one stream with much more goes over in several appends', async () => {
      let now = 0;
      const log = new MemoryEventStore({ time: () => new Date((now += 1)) });
      for (let revision = -1; revision < 29; revision += 1) await log.append('order-1', revision, [kilobytes(100)]);
      const { target } = await standIn();
      const { copied, appends } = await migrateLog({ source: log, target, clock: steadyClock });
      expect({ copied, appends }).toEqual({ copied: 30, appends: 4 });
    });

    test('what was appended together and is more says so, and goes over once the server takes it', async () => {
      let now = 0;
      const log = new MemoryEventStore({ time: () => new Date((now += 1)) });
      await log.append('order-1', -1, [newEvent()]);
      await log.append('order-2', -1, [kilobytes(600), kilobytes(600)]);
      const { server, target } = await standIn();
      const dependencies = { source: log, target, clock: steadyClock };
      await expect(migrateLog(dependencies)).rejects.toMatchObject({
        kind: 'rule-violated',
        message: expect.stringMatching(/revisions 0 to 1 of order-2 at once.*run this again/),
      });
      expect((await target.readAll(0, 10)).events).toHaveLength(1);
      server.largestAppend = 2 * 1024 * 1024;
      expect(await migrateLog(dependencies)).toMatchObject({ copied: 2, comparison: { equal: 3, difference: null } });
    });
  });
});
