import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seededRandomness, virtualClocks, type VirtualClocks } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { changeVersions } from '@waybill/projections/rebuild/change-versions.js';
import { atVersion } from '@waybill/projections/rebuild/versions.js';
import { placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { readLiveOf, type ReadLive } from './live-model.js';

/** Something that happens while versions change. */
type Step =
  | { readonly do: 'place' }
  | { readonly do: 'project'; readonly which: 'live' | 'previous'; readonly partitions: number[] }
  | { readonly do: 'switch' }
  | { readonly do: 'pass'; readonly milliseconds: number }
  /** The wall clock is set forwards or back. */
  | { readonly do: 'set'; readonly milliseconds: number }
  /** By one of two APIs, which is held up in the middle while so many steps are taken. */
  | { readonly do: 'read'; readonly api: number; readonly steps: number };

const everyPartition = Array.from({ length: partitionCount }, (_, partition) => partition);
const partitions = fc.oneof(fc.constant(everyPartition), fc.subarray(everyPartition));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('place') }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('project'), which: fc.constantFrom('live', 'previous'), partitions }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('switch') }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass'), milliseconds: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set'), milliseconds: fc.constantFrom(-3_600_000, 3_600_000) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('read'), api: fc.nat(1), steps: fc.nat(8) }) },
);

describe('reads while the version changes', () => {
  let clocks: VirtualClocks;
  let log: MemoryEventStore;
  let readStore: ReadStore;
  let openApi: () => ReadLive;
  let apis: readonly ReadLive[];
  /** The version that is read; the one before it is `live - 1`. */
  let live: number;
  let keys: string[];
  let waits: number;
  let whileWaiting: (milliseconds: number) => Promise<void>;

  beforeEach(open);
  afterEach(close);

  async function open(): Promise<void> {
    clocks = virtualClocks('2026-03-01T12:00:00Z');
    log = new MemoryEventStore(clocks.wallClock);
    readStore = openSqliteReadStore(':memory:');
    live = orders.collection.version;
    keys = [];
    waits = 0;
    whileWaiting = async () => {};
    const timer = {
      sleep: async (milliseconds: number) => {
        waits += 1;
        await whileWaiting(milliseconds);
        clocks.pass(milliseconds);
      },
    };
    openApi = () =>
      readLiveOf(orders, {
        events: log,
        readStore,
        keys: openMemoryKeyStore(seededRandomness('live')),
        clock: clocks.wallClock,
        steadyClock: clocks.steadyClock,
        timer,
      });
    apis = [openApi(), openApi()];
    for (const api of apis.keys()) await read(api);
  }

  async function close(): Promise<void> {
    await log.close();
    await readStore.close();
  }

  async function place(): Promise<void> {
    const key = `o${keys.length}`;
    keys.push(key);
    await appendAll(log, [placed(key)]);
  }

  async function project(version: number, partitions?: readonly number[]): Promise<void> {
    const options = partitions === undefined ? {} : { partitions };
    await catchUp([atVersion(orders, version)], { store: log, readStore, clock: clocks.wallClock }, options);
  }

  async function switchVersion(): Promise<void> {
    const shape = orders.collection.version;
    live += 1;
    await readStore.declare(atVersion(orders, live).collection);
    await changeVersions(orders.collection, readStore, ({ revision, shapes }) => ({
      revision: revision + 1,
      newest: live,
      shapes: { ...shapes, [shape]: { live, previous: live - 1, obsolete: [] } },
    }));
  }

  /** The orders that an API shows. */
  function read(api: number, meanwhile: () => Promise<void> = async () => {}): Promise<readonly string[]> {
    return apis[api]!(undefined, async ({ projection }) => {
      await meanwhile();
      return (await readStore.load(projection.collection, keys)).map(({ key }) => key);
    });
  }

  test('never go back, at whichever API, where the new version catches up in time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (script) => {
        await close();
        await open();
        const steps = script.values();
        const seen = new Set<string>();
        const reading: Promise<void>[] = [];

        async function take(count: number): Promise<void> {
          for (let taken = 0; taken < count; taken += 1) {
            const { value } = steps.next();
            if (value !== undefined) await happen(value);
          }
        }

        async function happen(what: Step): Promise<void> {
          switch (what.do) {
            case 'place':
              return place();
            case 'project': {
              const version = what.which === 'live' ? live : live - 1;
              return version < orders.collection.version ? undefined : project(version, what.partitions);
            }
            case 'switch':
              return switchVersion();
            case 'set':
              clocks.wallClock.advance(what.milliseconds);
              return undefined;
            case 'pass':
              clocks.pass(what.milliseconds);
              return undefined;
            case 'read':
              reading.push(readOnce(what.api, what.steps));
          }
        }

        async function readOnce(api: number, stepsMeanwhile: number): Promise<void> {
          const before = [...seen];
          const shown = await read(api, () => take(stepsMeanwhile));
          expect(shown).toEqual(expect.arrayContaining(before));
          for (const key of shown) seen.add(key);
        }

        whileWaiting = async (milliseconds) => {
          await take(2);
          // Between two looks, but not before the first.
          if (milliseconds < 100) await project(live);
        };
        await take(script.length);
        while (reading.length > 0) await Promise.all(reading.splice(0));
      }),
      { numRuns: runs(30, 300) },
    );
  });

  test('wait once, all of them together', async () => {
    await place();
    await project(live);
    expect(await read(0)).toEqual(['o0']);
    await switchVersion();
    clocks.pass(100);
    whileWaiting = async () => {
      if (waits === 5) await project(live);
    };
    expect(await Promise.all(Array.from({ length: 20 }, () => read(0)))).toEqual(Array(20).fill(['o0']));
    expect(waits).toBe(5);
    clocks.pass(1_000);
    expect(await read(0)).toEqual(['o0']);
    expect(waits).toBe(5);
  });

  test('are of a version that nobody else reads when they end', async () => {
    const versions: number[] = [];
    await apis[0]!(undefined, async ({ projection }) => {
      versions.push(projection.collection.version);
      if (versions.length === 1) await switchVersion();
      clocks.pass(50);
    });
    expect(versions).toEqual([live - 1]);
    clocks.pass(100);
    await apis[0]!(undefined, async ({ projection }) => {
      versions.push(projection.collection.version);
      if (versions.length === 2) await switchVersion();
      clocks.pass(100);
    });
    expect(versions).toEqual([live - 2, live - 1, live]);
  });

  test('begin in another version when nobody reads the one before', async () => {
    await place();
    await project(live);
    clocks.pass(100);
    await read(0);
    clocks.pass(50);
    await read(1);
    await switchVersion();
    await project(live);
    clocks.pass(50);
    await read(0);
    await place();
    await project(live - 1);
    whileWaiting = () => project(live);
    expect(await read(1)).toEqual(['o0', 'o1']);
    expect(await read(0)).toEqual(['o0', 'o1']);
  });

  test('go on in a version that does not catch up', async () => {
    await place();
    await project(live);
    expect(await read(0)).toEqual(['o0']);
    await switchVersion();
    clocks.pass(100);
    const before = clocks.steadyClock.now();
    expect(await read(0)).toEqual([]);
    expect(clocks.steadyClock.now() - before).toBe(1_000);
    expect(await read(0)).toEqual([]);
    expect(clocks.steadyClock.now() - before).toBe(1_000);
  });

  test('wait for a version that came since the API began, though nobody read before', async () => {
    apis = [openApi()];
    await setImmediate();
    await switchVersion();
    clocks.pass(100);
    await read(0);
    expect(waits).toBe(1);
  });

  test('do not wait where the API began with that version', async () => {
    await switchVersion();
    apis = [openApi()];
    await read(0);
    expect(waits).toBe(0);
  });
});
