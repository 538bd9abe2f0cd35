import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { partitionCount } from '../partitions/partition.js';
import { runs } from '../testing/length.js';
import type { CollectionVersions } from './collection-versions.js';
import { logBeginning } from '../subscriptions/log-position.js';
import { at } from '../testing/at.js';
import {
  isQuarantined,
  largestSections,
  type CollectionSpec,
  type Degraded,
  type DocumentWrite,
  type FieldValue,
  type Group,
  type GroupQuery,
  type ListPage,
  type ListQuery,
  type Place,
  type Share,
  type Sum,
  type SumKey,
  type SumQuery,
  type ReadStore,
  type StoredDocument,
} from './read-store.js';

export interface ReadStoreUnderTest {
  /** Opens one more connection to the same documents, as another process would. */
  open(): Promise<ReadStore>;
}

/** A collection with every kind of field and index. */
export function sampleCollection(): CollectionSpec {
  return {
    name: `test-${randomUUID()}`,
    version: 1,
    fields: { customer: 'text', status: 'text', at: 'text', day: 'text', amount: 'number' },
    multiple: ['merchant'],
    searched: ['word'],
    order: 'at',
    indexes: [[], ['customer'], ['status'], ['customer', 'status'], ['amount']],
    groups: [{ by: 'day', and: 'status', sum: 'amount' }],
    sums: true,
  };
}

interface Sample {
  readonly customer: string | null;
  readonly status: string | null;
  readonly at: string | null;
  readonly day: string | null;
  readonly amount: number | null;
  readonly merchants: readonly string[];
  readonly words: readonly string[];
}

const plain: Sample = {
  customer: 'c1',
  status: 'placed',
  at: '2026-01-01T00:00:00.000Z',
  day: '2026-01-01',
  amount: 100,
  merchants: [],
  words: [],
};

export function sampleWrite(key: string, sample: Partial<Sample> = {}, revision = 0): DocumentWrite {
  const { customer, status, at, day, amount, merchants, words } = { ...plain, ...sample };
  return {
    key,
    expected: revision === 0 ? undefined : { order: revision - 1 },
    revisions: { order: revision },
    sections: { order: { customer, status, at, day, amount, merchants, words } },
    fields: {
      single: { customer, status, at, day, amount },
      multiple: { merchant: merchants, word: words },
      shares: sharesOf({ status, day, amount, merchants }),
    },
    projectedAt: '2026-01-02T00:00:00.000Z',
  };
}

/** It counts on its day, for everybody and for each of its merchants. */
function sharesOf({
  status,
  day,
  amount,
  merchants,
}: Pick<Sample, 'status' | 'day' | 'amount' | 'merchants'>): Share[] {
  if (day === null) return [];
  return ['', ...new Set(merchants)].map((owner) => ({
    owner,
    day,
    unit: status ?? '',
    name: 'made',
    amount: amount ?? 0,
  }));
}

/** By code point, as the port says; JavaScript compares UTF-16 code units. */
function compareText(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function isListed(write: DocumentWrite, query: ListQuery): boolean {
  const { single, multiple } = write.fields;
  const place = single['at'];
  if (typeof place !== 'string') return false;
  if (query.from !== undefined && compareText(place, query.from) < 0) return false;
  if (query.to !== undefined && compareText(place, query.to) > 0) return false;
  return (
    Object.entries(query.equal ?? {}).every(([field, value]) => single[field] === value) &&
    Object.entries(query.contains ?? {}).every(([field, value]) => multiple[field]?.includes(value)) &&
    Object.entries(query.startsWith ?? {}).every(([field, prefixes]) =>
      prefixes.every((prefix) => multiple[field]?.some((value) => value.startsWith(prefix))),
    )
  );
}

function newestFirst(left: DocumentWrite, right: DocumentWrite): number {
  return compareText(placeOf(right), placeOf(left)) || compareText(right.key, left.key);
}

function placeOf({ fields }: DocumentWrite): string {
  return fields.single['at'] as string;
}

/** What a list must be, by going through every document. */
function expectedKeys(writes: Iterable<DocumentWrite>, query: ListQuery): string[] {
  const { after } = query;
  return [...writes]
    .filter((write) => isListed(write, query))
    .sort(newestFirst)
    .filter(
      (write) =>
        after === undefined ||
        compareText(placeOf(write), after.order) < 0 ||
        (placeOf(write) === after.order && compareText(write.key, after.key) < 0),
    )
    .slice(0, query.limit)
    .map(({ key }) => key);
}

function expectedGroups(writes: Iterable<DocumentWrite>, { from, to }: GroupQuery): Group[] {
  const groups = new Map<string, Group>();
  for (const { fields } of writes) {
    const { day, status, amount } = fields.single;
    if (typeof day !== 'string' || day < from || day > to) continue;
    const name = JSON.stringify([day, status]);
    const group = groups.get(name) ?? { by: day, and: status ?? null, count: 0, sum: 0n };
    groups.set(name, { ...group, count: group.count + 1, sum: group.sum + BigInt(amount ?? 0) });
  }
  const text = (value: FieldValue): string => (value === null ? '' : `.${value}`);
  return [...groups.values()].sort((a, b) => compareText(a.by, b.by) || compareText(text(a.and), text(b.and)));
}

/** What the sums of an owner must be, by going through every document. */
function expectedSums(writes: Iterable<DocumentWrite>, { owner, from, to }: SumQuery) {
  const sums = new Map<string, Omit<SumKey, 'owner'> & Sum>();
  for (const { fields } of writes) {
    for (const { owner: of, day, unit, name, amount } of fields.shares ?? []) {
      if (of !== owner || day < from || day > to) continue;
      const key = `${day} ${unit} ${name}`;
      const { count, total } = sums.get(key) ?? { count: 0, total: 0n };
      sums.set(key, { day, unit, name, count: count + 1, total: total + BigInt(amount) });
    }
  }
  return [...sums].sort(([one], [other]) => compareText(one, other)).map(([, sum]) => sum);
}

const few = (...values: string[]) => fc.constantFrom(...values);
const times = few('2026-01-01', '2026-01-02', '2026-01-02T10', '2026-01-03', '2026-01-04');
const words = few(
  'red',
  'red cup',
  'Red',
  'redder',
  'réd',
  'rot',
  '빨강',
  '빨강컵',
  'a-b',
  'a_b',
  'a',
  '💶',
  '"',
  '%',
  '*',
);
const samples: fc.Arbitrary<Sample> = fc.record({
  customer: fc.option(few('c1', 'c2', 'ç💶'), { freq: 5 }),
  status: fc.option(few('placed', 'cancelled'), { freq: 5 }),
  at: fc.option(times, { freq: 8 }),
  day: fc.option(few('2026-01-01', '2026-01-02', '2026-01-03')),
  amount: fc.option(
    fc.oneof(fc.integer({ min: -1, max: 2 }), fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER)),
  ),
  merchants: fc.array(few('m1', 'm2', 'm "3"'), { maxLength: 3 }),
  words: fc.array(words, { maxLength: 4 }),
});
const prefixes = fc.oneof(words, few('r', 're', 'R', '빨', 'b', ''));

/** Writes of one key after another: later ones of a key change its document. */
const histories = fc.array(fc.tuple(few('k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'kö', 'k💶'), samples), {
  maxLength: 25,
});

const queries: fc.Arbitrary<ListQuery> = fc
  .record({
    equal: fc.option(
      fc.record(
        {
          customer: fc.option(few('c1', 'c2', 'ç💶', 'nobody')),
          status: fc.option(few('placed', 'cancelled')),
          amount: fc.option(fc.integer({ min: 0, max: 2 })),
        },
        { requiredKeys: [] },
      ),
      { nil: undefined },
    ),
    contains: fc.option(fc.record({ merchant: few('m1', 'm "3"', 'm') }), { nil: undefined }),
    startsWith: fc.option(fc.record({ word: fc.array(prefixes, { maxLength: 3 }) }), { nil: undefined }),
    from: fc.option(times, { nil: undefined }),
    to: fc.option(times, { nil: undefined }),
    after: fc.option(fc.record({ order: times, key: few('k3', 'k5', 'k💶') }), { nil: undefined }),
    limit: fc.integer({ min: 1, max: 10 }),
  })
  .map((query) => JSON.parse(JSON.stringify(query)) as ListQuery);

/** What every read store promises. Collections are fresh in each test; a store need not be empty. */
export function readStoreContract(name: string, underTest: ReadStoreUnderTest): void {
  describe(`read store: ${name}`, () => {
    const opened: ReadStore[] = [];
    let store: ReadStore;
    let collection: CollectionSpec;

    async function open(): Promise<ReadStore> {
      const fresh = await underTest.open();
      opened.push(fresh);
      return fresh;
    }

    beforeEach(async () => {
      store = await open();
      collection = sampleCollection();
      await store.declare(collection);
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });

    function commit(writes: readonly DocumentWrite[], position = 1, partition = 0): Promise<readonly string[]> {
      return store.commit({ collection, partition, writes, position: at(position) });
    }

    async function keysOf(query: ListQuery): Promise<string[]> {
      return (await store.page(collection, query)).documents.map(({ key }) => key);
    }

    /** The pages of a query, each of so many candidates at most. */
    async function pagesOf(query: ListQuery, candidates: number): Promise<readonly ListPage[]> {
      const pages: ListPage[] = [];
      for (let { after } = query; ;) {
        const page = await store.page(collection, { ...query, ...(after !== undefined && { after }), candidates });
        pages.push(page);
        if (page.next === undefined) return pages;
        after = page.next;
      }
    }

    /** Writes a history; what stands at its end, by key. */
    async function play(history: readonly (readonly [string, Sample])[]): Promise<Map<string, DocumentWrite>> {
      const standing = new Map<string, DocumentWrite>();
      for (const [key, sample] of history) {
        const revision = (standing.get(key)?.revisions['order'] ?? -1) + 1;
        const write = sampleWrite(key, sample, revision);
        expect(await commit([write])).toEqual([]);
        standing.set(key, write);
      }
      return standing;
    }

    async function fresh(): Promise<void> {
      collection = sampleCollection();
      await store.declare(collection);
    }

    describe('documents', () => {
      test('there are none in a new collection', async () => {
        expect(await store.load(collection, ['a'])).toEqual([]);
        expect(await store.count(collection)).toBe(0);
        expect(await keysOf({ limit: 10 })).toEqual([]);
      });

      test('come back as they were written, all of them that exist', async () => {
        const sections = { order: { name: 'Käse "빨강" 💶\n', list: [1, null, { deep: true }] }, payment: null };
        const write = { ...sampleWrite('a'), sections, revisions: { payment: 3, order: 12 } };
        await commit([write, sampleWrite('b')], 1, 5);
        const documents = await store.load(collection, ['a', 'missing', 'b']);
        expect(documents.map(({ key }) => key).sort()).toEqual(['a', 'b']);
        expect(documents.find(({ key }) => key === 'a')).toEqual({
          key: 'a',
          partition: 5,
          revisions: { order: 12, payment: 3 },
          sections,
          projectedAt: '2026-01-02T00:00:00.000Z',
        });
      });

      test('are seen by whoever else opens the store', async () => {
        await commit([sampleWrite('a')], 7);
        const other = await open();
        await other.declare(collection);
        expect(await other.load(collection, ['a'])).toHaveLength(1);
        expect(await other.position(collection, 0)).toEqual(at(7));
      });

      test('of another version or collection are others', async () => {
        const next = { ...collection, version: 2 };
        await store.declare(next);
        await commit([sampleWrite('a')], 5);
        expect(await store.load(next, ['a'])).toEqual([]);
        expect(await store.position(next, 0)).toEqual(logBeginning);
        await store.drop(collection);
        await store.declare(collection);
        expect(await store.count(collection)).toBe(0);
        expect(await store.position(collection, 0)).toEqual(logBeginning);
      });

      test('are gone when their collection was dropped, perhaps twice', async () => {
        await commit([sampleWrite('a')], 5);
        const other = await open();
        await other.declare(collection);
        await store.drop(collection);
        await store.drop(collection);
        await other.drop(collection);
        await (await open()).drop(collection);
        await store.declare(collection);
        expect(await store.load(collection, ['a'])).toEqual([]);
        expect(await store.positions(collection)).toEqual(Array(partitionCount).fill(logBeginning));
      });

      test('stay when their collection is declared again', async () => {
        await commit([sampleWrite('a')]);
        await store.declare(collection);
        expect(await store.count(collection)).toBe(1);
      });
    });

    describe('a commit', () => {
      const revisionOf = async (key: string): Promise<number | undefined> =>
        (await store.load(collection, [key]))[0]?.revisions['order'];

      test.each([
        ['nothing, where there is a document', undefined],
        ['an older revision', { order: 0 }],
        ['a newer revision', { order: 2 }],
        ['another section', { payment: 1 }],
        ['a section more', { order: 1, payment: 0 }],
        ['no section', {}],
      ])('that expects %s changes nothing', async (_, expected) => {
        await commit([sampleWrite('a')]);
        await commit([sampleWrite('a', {}, 1)]);
        expect(await commit([{ ...sampleWrite('a', { customer: 'c2' }, 9), expected }])).toEqual(['a']);
        expect(await revisionOf('a')).toBe(1);
        expect(await keysOf({ equal: { customer: 'c2' }, limit: 10 })).toEqual([]);
      });

      test('that expects a document where there is none makes none', async () => {
        expect(await commit([sampleWrite('a', {}, 1)])).toEqual(['a']);
        expect(await store.count(collection)).toBe(0);
      });

      test('takes revisions in any order of their names', async () => {
        await commit([{ ...sampleWrite('a'), revisions: { order: 1, delivery: 2 } }]);
        const write = {
          ...sampleWrite('a'),
          expected: { delivery: 2, order: 1 },
          revisions: { order: 2, delivery: 2 },
        };
        expect(await commit([write])).toEqual([]);
      });

      test('lets the writes in that may, names the others and keeps the position', async () => {
        await commit([sampleWrite('b')], 3);
        expect(
          await commit([sampleWrite('a'), sampleWrite('b'), sampleWrite('c'), sampleWrite('d', {}, 4)], 9),
        ).toEqual(['b', 'd']);
        expect(await store.count(collection)).toBe(3);
        expect(await store.position(collection, 0)).toEqual(at(3));
        expect(await commit([sampleWrite('b', {}, 1)], 9)).toEqual([]);
        expect(await store.position(collection, 0)).toEqual(at(9));
      });

      test('moves the position of its partition forwards, also without writes, and never backwards', async () => {
        await commit([], 5, 2);
        await commit([], 4, 2);
        await commit([], 8, 7);
        expect(await store.position(collection, 2)).toEqual(at(5));
        expect(await store.positions(collection)).toEqual(
          Array.from({ length: partitionCount }, (_, partition) => ({ 2: at(5), 7: at(8) })[partition] ?? logBeginning),
        );
      });

      test('of several that expect the same, one wins', async () => {
        await commit([sampleWrite('a')]);
        const stores = [store, ...(await Promise.all(Array.from({ length: 3 }, open)))];
        await Promise.all(stores.map((one) => one.declare(collection)));
        const answers = await Promise.all(
          Array.from({ length: 12 }, (_, index) =>
            stores[index % 4]!.commit({
              collection,
              partition: 0,
              writes: [sampleWrite('a', { customer: `c${index}` }, 1)],
              position: at(2),
            }),
          ),
        );
        expect(answers.filter((conflicts) => conflicts.length === 0)).toHaveLength(1);
        const winner = answers.findIndex((conflicts) => conflicts.length === 0);
        expect(await keysOf({ equal: { customer: `c${winner}` }, limit: 10 })).toEqual(['a']);
      });

      test('is seen whole or not at all', async () => {
        const reader = await open();
        await reader.declare(collection);
        const seen: StoredDocument[] = [];
        const total = 100;
        let isWriting = true;
        const reading = (async () => {
          while (isWriting) {
            seen.push(...(await reader.list(collection, { limit: 10 })));
            await new Promise((resolve) => setImmediate(resolve));
          }
          seen.push(...(await reader.list(collection, { limit: 10 })));
        })();
        for (let revision = 0; revision < total; revision += 1) {
          const sample = { amount: revision, words: [`w${revision}`] };
          await commit([sampleWrite('a', sample, revision), sampleWrite('b', sample, revision)], revision + 1);
          await new Promise((resolve) => setImmediate(resolve));
        }
        isWriting = false;
        await reading;
        expect(seen.at(-1)?.revisions['order']).toBe(total - 1);
        const torn = seen.filter(
          ({ revisions, sections }) => (sections['order'] as { amount: number }).amount !== revisions['order'],
        );
        expect(torn).toEqual([]);
      });
    });

    describe('a document that can never be stored', () => {
      const deep = (write: DocumentWrite, sections: unknown): DocumentWrite => ({
        ...write,
        sections: { order: sections },
      });
      const withField = (write: DocumentWrite, field: string, value: unknown): DocumentWrite => {
        const single = { ...write.fields.single, [field]: value as FieldValue };
        return { ...write, fields: { ...write.fields, single } };
      };

      test.each<[string, (write: DocumentWrite) => DocumentWrite]>([
        ['is too large', (write) => deep(write, '빨'.repeat(largestSections / 3))],
        ['holds what is no JSON', (write) => deep(write, 1n)],
        ['has a number where text belongs', (write) => withField(write, 'status', 7)],
        ['has text where a number belongs', (write) => withField(write, 'amount', '7')],
        ['has an object where text belongs', (write) => withField(write, 'at', { year: 2026 })],
        [
          'adds to a sum what is no whole number',
          (write) => ({
            ...write,
            fields: { ...write.fields, shares: [{ owner: '', day: '', unit: '', name: '', amount: 2 ** 53 }] },
          }),
        ],
        [
          'has a number in a set',
          (write) => ({ ...write, fields: { ...write.fields, multiple: { merchant: [7 as unknown as string] } } }),
        ],
      ])('because it %s is refused by its key, and the position stays', async (_, spoil) => {
        await commit([sampleWrite('a'), sampleWrite('b')], 1);
        const batch = [sampleWrite('a', {}, 1), spoil(sampleWrite('b', {}, 1)), spoil(sampleWrite('c'))];
        await expect(commit(batch, 2)).rejects.toMatchObject({
          name: 'DocumentNotStorable',
          key: expect.stringMatching(/^[bc]$/u) as unknown,
        });
        expect(await store.position(collection, 0)).toEqual(at(1));
        expect(await store.load(collection, ['c'])).toEqual([]);
        const [b] = await store.load(collection, ['b']);
        expect(b?.revisions).toEqual({ order: 0 });
        await commit([sampleWrite('d')], 2);
        expect(await store.wrongSums(collection)).toEqual([]);
      });

      test('is larger than any that can', async () => {
        const text = 'x'.repeat(largestSections - JSON.stringify({ order: '' }).length);
        await commit([deep(sampleWrite('a'), text)]);
        const [document] = await store.load(collection, ['a']);
        expect(document?.sections['order'] === text).toBe(true);
      });
    });

    describe('a quarantine', () => {
      const times = { since: '2026-01-03T00:00:00.000Z', triedAt: '2026-01-04T00:00:00.000Z' };
      const degraded = {
        ...times,
        error: 'TypeError: Käse is "빨강" 💶\n',
        event: { id: randomUUID(), stream: 'order-a', revision: 1, position: 17, type: 'OrderCancelled' },
        seen: { payment: 0, order: 3 },
      };
      const cut = { stream: 'order-a', firstRevision: null };
      const cutOff: Degraded = { ...times, error: degraded.error, cut, seen: {} };
      const noted = (write: DocumentWrite, change: Partial<typeof degraded> = {}): DocumentWrite => ({
        ...write,
        degraded: { ...degraded, ...change },
      });
      const empty: DocumentWrite = {
        ...sampleWrite('e', { customer: null, status: null, at: null, day: null, amount: null }),
        revisions: {},
        sections: {},
      };
      const keysOfQuarantine = async (after?: string, limit = 10): Promise<string[]> =>
        (await store.quarantined(collection, after, limit)).map(({ key }) => key);

      test('comes back with its document as it was noted, until a write ends it', async () => {
        await commit([noted(sampleWrite('a')), sampleWrite('b')]);
        const documents = await store.load(collection, ['a', 'b']);
        expect(documents.find(({ key }) => key === 'a')?.degraded).toEqual(degraded);
        expect(documents.find(({ key }) => key === 'b')).not.toHaveProperty('degraded');
        expect(await store.list(collection, { limit: 1 })).toEqual(documents.filter(({ key }) => key === 'b'));
        expect(await store.quarantined(collection, undefined, 10)).toEqual(documents.filter(isQuarantined));
        expect(await commit([{ ...sampleWrite('a', {}, 1), expectedDegraded: degraded }])).toEqual([]);
        expect((await store.load(collection, ['a']))[0]).not.toHaveProperty('degraded');
        expect(await keysOfQuarantine()).toEqual([]);
      });

      test('of a stream that was cut comes back as it was noted', async () => {
        await commit([{ ...sampleWrite('a'), degraded: cutOff }]);
        expect((await store.load(collection, ['a']))[0]?.degraded).toEqual(cutOff);
        expect(await commit([{ ...sampleWrite('a', {}, 1), expectedDegraded: cutOff }])).toEqual([]);
      });

      test('may begin on a document that stands already', async () => {
        await commit([sampleWrite('a')]);
        const same = { ...sampleWrite('a'), expected: { order: 0 } };
        expect(await commit([noted(same)])).toEqual([]);
        expect(await keysOfQuarantine()).toEqual(['a']);
      });

      test('is listed by key and page by page, where there is nothing of the document yet too', async () => {
        const keys = ['k1', 'k2', 'k3', 'kö', 'k💶'];
        await commit([noted(empty), ...keys.map((key) => noted(sampleWrite(key))), sampleWrite('healthy')]);
        const all = ['e', ...keys];
        expect(await keysOfQuarantine()).toEqual(all);
        expect(await keysOfQuarantine(undefined, 2)).toEqual(all.slice(0, 2));
        expect(await keysOfQuarantine('k2', 2)).toEqual(all.slice(3, 5));
        expect(await keysOfQuarantine('k💶')).toEqual([]);
        expect(await keysOf({ limit: 10 })).not.toContain('e');
        expect((await store.load(collection, ['e']))[0]).toMatchObject({ revisions: {}, sections: {}, degraded });
      });

      const expectations: readonly (readonly [string, Degraded | undefined, Degraded | undefined])[] = [
        ['is none, by who takes it for one', undefined, degraded],
        ['is one, by who takes it for none', degraded, undefined],
        ['has seen more', { ...degraded, seen: { order: 4 } }, degraded],
        ['is of a stream that was cut', cutOff, degraded],
        ['is of a stream of which more is left', { ...cutOff, cut: { ...cut, firstRevision: 3 } }, cutOff],
        ['was tried again', { ...degraded, triedAt: '2026-01-05T00:00:00.000Z' }, degraded],
      ];
      test.each(expectations)('that %s is not written over', async (_, stands, expectedDegraded) => {
        await commit([{ ...sampleWrite('a'), ...(stands !== undefined && { degraded: stands }) }]);
        const [before] = await store.load(collection, ['a']);
        const write = { ...sampleWrite('a', { customer: 'c2' }, 1), ...(expectedDegraded && { expectedDegraded }) };
        expect(await commit([write], 9)).toEqual(['a']);
        expect(await store.load(collection, ['a'])).toEqual([before]);
        expect(await store.position(collection, 0)).toEqual(at(1));
      });

      test('is the same in whatever order its parts are given', async () => {
        await commit([noted(sampleWrite('a'))]);
        const { since, triedAt, error, event, seen } = degraded;
        const expectedDegraded = { seen: { order: seen.order, payment: 0 }, event, error, triedAt, since };
        expect(await commit([{ ...sampleWrite('a', {}, 1), expectedDegraded }])).toEqual([]);
      });

      test('goes with its collection', async () => {
        await commit([noted(sampleWrite('a'))]);
        await store.drop(collection);
        await store.declare(collection);
        expect(await keysOfQuarantine()).toEqual([]);
      });
    });

    describe('a list', () => {
      test('is what going through every document gives, for any history and query', async () => {
        await fc.assert(
          fc.asyncProperty(histories, fc.array(queries, { minLength: 1, maxLength: 8 }), async (history, asked) => {
            await fresh();
            const standing = await play(history);
            for (const query of asked) expect(await keysOf(query)).toEqual(expectedKeys(standing.values(), query));
          }),
          { numRuns: runs(15, 100) },
        );
      });

      test('is answered whole by pages, however few documents each looks at', async () => {
        const few = fc.integer({ min: 1, max: 4 });
        await fc.assert(
          fc.asyncProperty(histories, queries, few, async (history, query, candidates) => {
            await fresh();
            const standing = await play(history);
            const pages = await pagesOf(query, candidates);
            expect(pages.flatMap(({ documents }) => documents.map(({ key }) => key))).toEqual(
              expectedKeys(standing.values(), { ...query, limit: Infinity }),
            );
            for (const { documents } of pages) expect(documents.length).toBeLessThanOrEqual(query.limit);
          }),
          { numRuns: runs(15, 100) },
        );
      });

      describe('of twenty documents of one customer and twenty of one merchant', () => {
        const placed = (index: number): string => `2026-01-01T00:00:${String(index).padStart(2, '0')}.000Z`;
        const numbers = Array.from({ length: 20 }, (_, index) => index);

        beforeEach(async () => {
          await commit([
            ...numbers.map((index) =>
              sampleWrite(`c${index}`, { at: placed(index), words: index < 2 ? ['common', 'rare'] : ['common'] }),
            ),
            ...numbers.map((index) =>
              sampleWrite(`m${index}`, { at: placed(index), customer: 'c2', merchants: ['m1'], words: ['common'] }),
            ),
          ]);
        });

        test('looks at no more than the candidates of a page where no index answers it, and says how far it came', async () => {
          const query = { equal: { customer: 'c1' }, contains: { merchant: 'm1' }, limit: 10 };
          const pages = await pagesOf(query, 5);
          const places: (Place | undefined)[] = [15, 10, 5].map((index) => ({
            order: placed(index),
            key: `c${index}`,
          }));
          expect(pages).toEqual([...places.map((next) => ({ documents: [], next })), { documents: [] }]);
        });

        test('ends a page that is full where its last document stands', async () => {
          const query = { equal: { customer: 'c1' }, startsWith: { word: ['comm'] }, limit: 7 };
          const { documents, next } = await store.page(collection, { ...query, candidates: 12 });
          expect(documents.map(({ key }) => key)).toEqual(['c19', 'c18', 'c17', 'c16', 'c15', 'c14', 'c13']);
          expect(next).toEqual({ order: placed(13), key: 'c13' });
        });

        test('looks at the documents with a word where they are few', async () => {
          const query = { startsWith: { word: ['c', 'rar'] }, limit: 10, candidates: 5 };
          const { documents, next } = await store.page(collection, query);
          expect(documents.map(({ key }) => key)).toEqual(['c1', 'c0']);
          expect(next).toBeUndefined();
        });

        test.each<[string, Partial<ListQuery>]>([
          ['two single fields', { equal: { customer: 'c1', status: 'cancelled' } }],
          ['two single fields in a time', { equal: { customer: 'c1', status: 'cancelled' }, from: placed(3) }],
          ['a value', { contains: { merchant: 'm2' } }],
        ])('looks at none but its own where an index has %s', async (_, query) => {
          expect(await store.page(collection, { ...query, limit: 10, candidates: 1 })).toEqual({ documents: [] });
          expect(await store.list(collection, { ...query, limit: 10 })).toEqual([]);
        });

        test.each<[string, Partial<ListQuery>]>([
          ['a word', { startsWith: { word: ['rare'] } }],
          ['a value beside a field', { contains: { merchant: 'm1' }, equal: { status: 'placed' } }],
        ])('is refused without pages where no index has the whole of it, as by %s', async (_, query) => {
          await expect(store.list(collection, { ...query, limit: 1 })).rejects.toThrow('has no index for the whole');
        });
      });

      test('followed page by page gives each document that stands still exactly once, whatever others do', async () => {
        const steps = fc.array(fc.tuple(few('x1', 'x2', 'k1x', 'k4x', 'zz'), samples), { maxLength: 12 });
        await fc.assert(
          fc.asyncProperty(
            fc.array(samples, { maxLength: 15 }),
            steps,
            fc.integer({ min: 1, max: 4 }),
            async (still, restless, limit) => {
              await fresh();
              const standing = await play(still.map((sample, index) => [`k${index}`, sample] as const));
              const moves = restless.values();
              const revisions = new Map<string, number>();
              const listed: string[] = [];
              let after: { order: string; key: string } | undefined;
              for (;;) {
                const page = await store.list(collection, { ...(after !== undefined && { after }), limit });
                listed.push(...page.map(({ key }) => key));
                const last = page.at(-1);
                if (last === undefined) break;
                after = { order: (last.sections['order'] as { at: string }).at, key: last.key };
                const move = moves.next();
                if (move.done !== true) {
                  const [key, sample] = move.value;
                  const revision = (revisions.get(key) ?? -1) + 1;
                  revisions.set(key, revision);
                  expect(await commit([sampleWrite(key, sample, revision)])).toEqual([]);
                }
              }
              const all = expectedKeys(standing.values(), { limit: 100 });
              expect(listed.filter((key) => standing.has(key))).toEqual(all);
            },
          ),
          { numRuns: runs(10, 80) },
        );
      });
    });

    describe('groups', () => {
      test('are what going through every document gives, for any history', async () => {
        const bounds = few('2025-12-31', '2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04');
        await fc.assert(
          fc.asyncProperty(histories, bounds, bounds, async (history, from, to) => {
            await fresh();
            const standing = await play(history);
            const query = { by: 'day', and: 'status', sum: 'amount', from, to };
            expect(await store.groups(collection, query)).toEqual(expectedGroups(standing.values(), query));
          }),
          { numRuns: runs(10, 80) },
        );
      });
    });

    describe('sums', () => {
      test('are what going through every document gives, for any history', async () => {
        const bounds = few('2025-12-31', '2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04');
        const owners = few('', 'm1', 'm "3"', 'nobody');
        await fc.assert(
          fc.asyncProperty(histories, owners, bounds, bounds, async (history, owner, from, to) => {
            await fresh();
            const standing = await play(history);
            // What meets another revision than it expects adds nothing, however often it comes.
            for (const write of standing.values()) expect(await commit([write])).toEqual([write.key]);
            const query = { owner, from, to };
            expect(await store.sums(collection, query)).toEqual(expectedSums(standing.values(), query));
            expect(await store.wrongSums(collection)).toEqual([]);
          }),
          { numRuns: runs(10, 80) },
        );
      });

      test('are exact, however large', async () => {
        const amount = Number.MAX_SAFE_INTEGER;
        const writes = Array.from({ length: 1100 }, (_, index) => sampleWrite(`k${index}`, { amount }));
        await commit(writes);
        const total = 1100n * BigInt(amount);
        const query = { owner: '', from: '2026-01-01', to: '2026-01-01' };
        expect(await store.sums(collection, query)).toEqual([
          { day: '2026-01-01', unit: 'placed', name: 'made', count: 1100, total },
        ]);
        const groups = { by: 'day', and: 'status', sum: 'amount', from: query.from, to: query.to };
        expect(await store.groups(collection, groups)).toMatchObject([{ count: 1100, sum: total }]);
      });

      test('are those of everybody who writes, at once', async () => {
        const stores = [store, ...(await Promise.all(Array.from({ length: 3 }, open)))];
        await Promise.all(stores.map((one) => one.declare(collection)));
        await Promise.all(
          stores.map((one, index) =>
            one.commit({ collection, partition: index, writes: [sampleWrite(`k${index}`)], position: at(1) }),
          ),
        );
        const query = { owner: '', from: '2026', to: '2027' };
        expect(await store.sums(collection, query)).toMatchObject([{ count: 4, total: 400n }]);
      });

      test('go with their collection', async () => {
        await commit([sampleWrite('a')]);
        await store.drop(collection);
        await store.declare(collection);
        expect(await store.sums(collection, { owner: '', from: '2026', to: '2027' })).toEqual([]);
      });
    });

    describe('a scan', () => {
      test('gives every document by key, with its fields as they are indexed', async () => {
        await fc.assert(
          fc.asyncProperty(histories, fc.integer({ min: 1, max: 4 }), async (history, limit) => {
            await fresh();
            const standing = await play(history);
            const scanned: [string, unknown][] = [];
            for (let after: string | undefined; ;) {
              const page = await store.scan(collection, after, limit);
              for (const { key, fields } of page) scanned.push([key, sorted(fields)]);
              after = page.at(-1)?.key;
              if (page.length < limit) break;
            }
            const all = [...standing.values()].sort((left, right) => compareText(left.key, right.key));
            expect(scanned).toEqual(all.map(({ key, fields }) => [key, sorted(fields)]));
            expect(await store.count(collection)).toBe(all.length);
          }),
          { numRuns: runs(10, 80) },
        );
      });

      function sorted({ single, multiple, shares = [] }: DocumentWrite['fields']): unknown {
        const sets = Object.entries(multiple).map(([field, values]) => [field, [...new Set(values)].sort()]);
        const byOwner = shares.toSorted((one, other) => compareText(one.owner, other.owner));
        return { single, multiple: Object.fromEntries(sets) as unknown, shares: byOwner };
      }
    });

    describe('versions', () => {
      const versions = (revision: number, live = revision): CollectionVersions => ({
        revision,
        newest: live,
        shapes: { 1: { live, obsolete: [] } },
      });

      test('of a name are none at first, and are kept', async () => {
        const { name } = collection;
        expect(await store.versions(name)).toBeUndefined();
        expect(await store.saveVersions(name, versions(1))).toBe(true);
        expect(await store.versions(name)).toEqual(versions(1));
        expect(await store.saveVersions(name, versions(2))).toBe(true);
        expect(await (await open()).versions(name)).toEqual(versions(2));
        expect(await store.versions(`${name}-other`)).toBeUndefined();
      });

      test.each([0, 1, 2, 4])('are not written as revision %i after the second', async (revision) => {
        const { name } = collection;
        await store.saveVersions(name, versions(1));
        await store.saveVersions(name, versions(2));
        expect(await store.saveVersions(name, versions(revision, 9))).toBe(false);
        expect(await store.versions(name)).toEqual(versions(2));
      });

      test('are not written after a revision that never was', async () => {
        expect(await store.saveVersions(collection.name, versions(2))).toBe(false);
        expect(await store.versions(collection.name)).toBeUndefined();
      });

      test('of several that write at once, one wins, each time', async () => {
        const { name } = collection;
        const stores = [store, ...(await Promise.all(Array.from({ length: 3 }, open)))];
        for (const revision of [1, 2, 3]) {
          const won = await Promise.all(
            Array.from({ length: 12 }, (_, index) =>
              stores[index % 4]!.saveVersions(name, versions(revision, 100 + index)),
            ),
          );
          expect(won.filter(Boolean)).toHaveLength(1);
          expect(await store.versions(name)).toEqual(versions(revision, 100 + won.indexOf(true)));
        }
      });

      test('move the change counter', async () => {
        const reader = await open();
        const before = reader.changeCounter();
        await store.saveVersions(collection.name, versions(1));
        expect(reader.changeCounter()).not.toBe(before);
      });
    });

    describe('checkpoints', () => {
      test('of the relay begin at the beginning, are kept whole, and never go back, whoever saves them', async () => {
        const { through } = await store.relayCheckpoint();
        const checkpoints = Array.from({ length: 12 }, (_, index) => {
          const reached = through + 1 + index;
          return { ...at(reached), heads: { 5: { order: reached, product: 2 } } };
        });
        const [last, ...earlier] = [...checkpoints].reverse();
        await store.saveRelayCheckpoint(last!);
        await store.saveRelayCheckpoint(earlier[0]!);
        await store.saveRelayCheckpoint({ through: last!.through, anchors: [], heads: {} });
        expect(await store.relayCheckpoint()).toEqual(last);
        const other = await open();
        const later = checkpoints.map((each) => ({ ...each, ...at(each.through + 20) }));
        const mixed = later.map((each, index) => later[(index * 5) % later.length] ?? each);
        await Promise.all(mixed.map((each, index) => (index % 2 ? store : other).saveRelayCheckpoint(each)));
        expect(await store.relayCheckpoint()).toEqual(later.at(-1));
        const back = { ...at(through + 3), heads: {} };
        expect(await other.resetRelayCheckpoint(at(through), back)).toBe(false);
        expect(await other.resetRelayCheckpoint(later.at(-1)!, back)).toBe(true);
        expect(await store.relayCheckpoint()).toEqual(back);
      });

      test('are those of one log: which it is can be noted once', async () => {
        const noted = (await store.madeFrom()) ?? '1:a';
        await store.noteMadeFrom('1:a');
        expect(await store.madeFrom()).toBe(noted);
        await Promise.all([store.noteMadeFrom('2:b'), (await open()).noteMadeFrom('3:c')]);
        expect(await (await open()).madeFrom()).toBe(noted);
      });

      test('take the place of one that they name, and of no other', async () => {
        const noted = (await store.madeFrom()) ?? '1:a';
        await store.noteMadeFrom(noted);
        await store.noteMadeFrom('4:d', '5:e');
        expect(await store.madeFrom()).toBe(noted);
        await store.noteMadeFrom('4:d', noted);
        expect(await (await open()).madeFrom()).toBe('4:d');
      });

      test('of consumers are their own, and kept whole', async () => {
        const consumer = `consumer-${randomUUID()}`;
        expect(await store.consumerPosition(consumer, 1)).toEqual(logBeginning);
        await store.saveConsumerPosition(consumer, 1, at(5));
        await store.saveConsumerPosition(consumer, 2, at(6));
        const whole = {
          through: 7,
          anchors: [
            [7, 'g'],
            [3, 'c'],
            [1, 'a'],
          ],
        } as const;
        await store.saveConsumerPosition(consumer, 1, whole);
        expect(await store.consumerPosition(consumer, 1)).toEqual(whole);
        expect(await (await open()).consumerPosition(consumer, 2)).toEqual(at(6));
        expect(await store.consumerPosition(`${consumer}-other`, 1)).toEqual(logBeginning);
      });

      test('of consumers never go back, whoever saves them in which order', async () => {
        const consumer = `consumer-${randomUUID()}`;
        const other = await open();
        const positions = [4, 9, 1, 7, 12, 3, 11, 5, 2, 10, 6, 8];
        const saved = positions.map((position, index) =>
          (index % 2 ? store : other).saveConsumerPosition(consumer, 1, at(position)),
        );
        await Promise.all(saved);
        expect(await store.consumerPosition(consumer, 1)).toEqual(at(12));
        await store.saveConsumerPosition(consumer, 1, at(11));
        await store.saveConsumerPosition(consumer, 1, { through: 12, anchors: [] });
        expect(await store.consumerPosition(consumer, 1)).toEqual(at(12));
      });

      test('of consumers can be reset, backwards too, by who knows where they are', async () => {
        const consumer = `consumer-${randomUUID()}`;
        await store.saveConsumerPosition(consumer, 1, at(12));
        expect(await store.resetConsumerPosition(consumer, 1, at(11), at(3))).toBe(false);
        expect(await store.consumerPosition(consumer, 1)).toEqual(at(12));
        const answers = await Promise.all(
          [store, await open()].map((each, index) => each.resetConsumerPosition(consumer, 1, at(12), at(3 + index))),
        );
        expect(answers.filter(Boolean)).toHaveLength(1);
        expect(await store.consumerPosition(consumer, 1)).toEqual(at(3 + answers.indexOf(true)));
        await store.saveConsumerPosition(consumer, 1, at(5));
        expect(await store.consumerPosition(consumer, 1)).toEqual(at(5));
      });
    });

    test('the change counter is another after each commit, here or elsewhere', async () => {
      const reader = await open();
      await reader.declare(collection);
      const counters = [reader.changeCounter()];
      await commit([sampleWrite('a')], 1);
      counters.push(reader.changeCounter());
      await commit([], 2);
      counters.push(reader.changeCounter());
      await reader.commit({ collection, partition: 0, writes: [sampleWrite('b')], position: at(3) });
      counters.push(reader.changeCounter());
      await commit([sampleWrite('c')], 4);
      counters.push(reader.changeCounter());
      expect(new Set(counters).size).toBe(counters.length);
    });
  });
}
