import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { describeWithServer } from '@waybill/infra/mongodb/testing/server-under-test.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RebuildKind } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { foldDocument } from '@waybill/projections/read-models/fold-document.js';
import type { KeepDependencies, ReadModelKeeper } from '@waybill/projections/projecting/keep-read-models.js';
import { liveVersion } from './live-version.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { placed, type Happening } from '@waybill/projections/testing/history.js';
import { documentsOf, straightFold } from '@waybill/projections/testing/logs.js';
import { randomHistory } from '@waybill/projections/testing/random-history.js';
import {
  hastyTuning,
  inFile,
  inMongoDb,
  Kept,
  type ReadModelPlace,
} from '@waybill/projections/rebuild/testing/kept.js';
import { mortalReadStore } from '@waybill/projections/rebuild/testing/mortal-read-store.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

/** Reads all the time, as the read API does, while something is done; what was wrong with an answer. */
async function whileReading(
  kept: Kept,
  keys: readonly string[],
  work: () => Promise<void>,
): Promise<readonly string[]> {
  const readStore = kept.open();
  const live = liveVersion(orders, { readStore, clock: steadyClock });
  const faults = new Set<string>();
  const seen = new Map<string, StoredDocument>();
  let isOver = false;
  const readOn = async (): Promise<void> => {
    while (!isOver) {
      const { collection } = await live();
      const found = await readStore.load(collection, keys);
      const listed = await readStore.list(collection, { limit: 100 });
      for (const document of [...found, ...listed]) {
        seen.set(`${collection.version} ${document.key} ${JSON.stringify(document.revisions)}`, document);
      }
      for (const key of keys) {
        if (!found.some((document) => document.key === key)) faults.add(`${key} is missing`);
        if (!listed.some((document) => document.key === key)) faults.add(`${key} is missing in the list`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const reading = readOn();
  try {
    await work();
  } finally {
    isOver = true;
    await reading;
  }
  for (const [name, document] of seen) if (!(await isWhole(kept, document))) faults.add(`${name} is not whole`);
  return [...faults];
}

/** Whether a document is what its streams make of it, each up to the revision that it names. */
async function isWhole({ log }: Kept, { key, revisions, sections }: StoredDocument): Promise<boolean> {
  const events = (await wholeLog(log))
    .filter(({ stream, revision }) => revision <= (revisions[categoryOf(stream)!] ?? -1))
    .map((event) => upcast(event))
    .filter((event) => orders.categories.includes(categoryOf(event.stream)!) && orders.key(event) === key);
  const folded = foldDocument(orders, events);
  return JSON.stringify(sorted(folded.sections)) === JSON.stringify(sorted(sections));
}

function sorted(sections: object): unknown {
  return Object.entries(sections).sort(([a], [b]) => (a < b ? -1 : 1));
}

const kinds = fc.array(fc.constantFrom<RebuildKind>('rebuild', 'rollback'), { minLength: 1, maxLength: 3 });

describe('while orders keep coming in, on SQLite', () => {
  rebuilds(inFile, runs(3, 30));
});

describeWithServer('while orders keep coming in, on MongoDB', () => {
  rebuilds(inMongoDb, runs(1, 6));
});

/** `numRuns` histories for each test. */
function rebuilds(place: () => ReadModelPlace, numRuns: number): void {
  let kept: Kept;
  beforeEach(() => {
    kept = new Kept(place());
  });
  afterEach(() => kept.close());

  async function fresh(): Promise<void> {
    await kept.close();
    kept = new Kept(place());
  }

  /** Drops nothing while it is read. */
  function keep(readStore?: KeepDependencies['readStore']): ReadModelKeeper {
    const rebuilder = { ...hastyTuning.rebuilder, grace: 600_000 };
    return kept.keep([orders], kept.dependencies(readStore), { ...hastyTuning, rebuilder });
  }

  async function expectLiveIsRight(): Promise<void> {
    const live = await kept.live(orders);
    await kept.applied(live);
    expect(await documentsOf(kept.reader, live)).toEqual(await straightFold(kept.log, orders));
  }

  test('what is read after a rebuild is the straight fold, and during it always whole', async () => {
    const pauses = fc.array(fc.nat(5), { maxLength: 57 });
    await fc.assert(
      fc.asyncProperty(randomHistory(), kinds, pauses, async (history, asked, between) => {
        await fresh();
        await kept.happen(placed('early'));
        await keep().following;
        const faults = await whileReading(kept, ['early'], async () => {
          const coming = comeIn(history, between);
          for (const kind of ['rebuild' as const, ...asked]) {
            await kept.request(orders, kind);
            expect((await kept.ended(orders)).last).toMatchObject({ result: 'switched', mended: { count: 0 } });
          }
          await coming;
          await expectLiveIsRight();
        });
        expect(faults).toEqual([]);
        expect(kept.faults).toEqual([]);
      }),
      { numRuns },
    );
  });

  async function comeIn(history: readonly Happening[], pauses: readonly number[]): Promise<void> {
    for (const [index, happening] of history.entries()) {
      for (let turn = 0; turn < (pauses[index] ?? 0) ** 2; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await kept.happen(happening);
    }
  }

  test('whoever builds may die at any moment, and another goes on', async () => {
    const deaths = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 90 }), fc.constantFrom('before' as const, 'after' as const)),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    await fc.assert(
      fc.asyncProperty(randomHistory(), deaths, kinds, async (history, dying, asked) => {
        await fresh();
        await kept.happen(placed('early'));
        await keep().following;
        await kept.request(orders);
        await kept.ended(orders);
        await kept.stopKeeping();
        const faults = await whileReading(kept, ['early'], async () => {
          const coming = comeIn(history, []);
          for (const kind of asked) await outlive(kind, dying);
          await coming;
          keep();
          await expectLiveIsRight();
        });
        expect(faults).toEqual([]);
      }),
      { numRuns },
    );
  });

  /** One builder after the other dies; the last does not. */
  async function outlive(kind: RebuildKind, dying: readonly (readonly [number, 'before' | 'after'])[]): Promise<void> {
    const before = await kept.versions(orders);
    await kept.request(orders, kind);
    const { id } = (await kept.versions(orders)).rebuild!;
    for (const [calls, moment] of dying) {
      const mortal = mortalReadStore(kept.open());
      mortal.dieAt(calls, moment);
      keep(mortal.store);
      await until(async () => mortal.isDead || (await kept.versions(orders)).rebuild === undefined);
      await kept.stopKeeping();
    }
    keep();
    const after = await kept.ended(orders);
    await kept.stopKeeping();
    expect(after.last).toMatchObject({ id, kind, result: 'switched', mended: { count: 0 } });
    expect(after.previous).toBe(before.live);
    if (kind === 'rollback') expect(after.live).toBe(before.previous);
    else expect(after.live).toBeGreaterThan(before.live);
  }
}
