import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import { systemTimer as timer } from '@waybill/infra/clock/system.js';
import type { ShapeVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { orders } from '../read-models/orders.js';
import { placed } from '../testing/history.js';
import { OrdersBench } from '../testing/orders-bench.js';
import { changeVersions } from './change-versions.js';
import { Rebuilder, type RebuilderDependencies } from './rebuilder.js';
import { hastyTuning } from './testing/kept.js';
import { requested } from './versions.js';

const randomness = seededRandomness('rebuilder');

let bench: OrdersBench;
/** Names of those that have made a collection. */
let declaring: Set<string>;
/** Versions that were dropped. */
let dropped: number[];
/** Runs before the versions are written. */
let beforeSave: () => Promise<void> | void;
/** Runs before the log is read. */
let beforeRead: () => Promise<void> | void;

beforeEach(async () => {
  bench = await OrdersBench.open([placed('o1')]);
  declaring = new Set();
  dropped = [];
  beforeSave = beforeRead = () => undefined;
});
afterEach(() => bench.end());

function rebuilder(name = 'one', tuning = hastyTuning.rebuilder): Rebuilder {
  const { readStore, log, clock } = bench;
  const watched: RebuilderDependencies['readStore'] = {
    declare: (collection) => {
      declaring.add(name);
      return readStore.declare(collection);
    },
    drop: async ({ version }) => void dropped.push(version),
    saveVersions: async (...asked) => {
      await beforeSave();
      return readStore.saveVersions(...asked);
    },
    load: (...asked) => readStore.load(...asked),
    commit: (batch) => readStore.commit(batch),
    positions: (collection) => readStore.positions(collection),
    scan: (...asked) => readStore.scan(...asked),
    quarantined: (...asked) => readStore.quarantined(...asked),
    versions: (name) => readStore.versions(name),
    wrongSums: (collection) => readStore.wrongSums(collection),
  };
  const store: RebuilderDependencies['store'] = {
    head: () => log.head(),
    recordAt: (position) => log.recordAt(position),
    readStream: (...asked) => log.readStream(...asked),
    cutOf: (stream) => log.cutOf(stream),
    readAll: async (...asked) => {
      await beforeRead();
      return log.readAll(...asked);
    },
  };
  const dependencies = { store, readStore: watched, clock, steadyClock: clock, timer, randomness };
  return new Rebuilder(orders, dependencies, tuning);
}

const versions = (): Promise<ShapeVersions> => changeVersions(orders.collection, bench.readStore);

async function ask(): Promise<ShapeVersions> {
  const request = (before: Parameters<typeof requested>[0]) => requested(before, orders.collection, 'rebuild', 'asked');
  return changeVersions(orders.collection, bench.readStore, request);
}

test('of two that find the same at once one builds', async () => {
  const found = await ask();
  const [one, other] = [rebuilder('one'), rebuilder('other')];
  await Promise.all([one.tend(found), other.tend(found)]);
  await until(async () => (await versions()).last !== undefined);
  await Promise.all([one.stop(), other.stop()]);
  expect((await versions()).last).toMatchObject({ result: 'switched', version: 3 });
  expect(declaring.size).toBe(1);
});

test('one that is stopped while it builds lets others go on at once', async () => {
  let isReading = false;
  let goOn = (): void => undefined;
  beforeRead = () => {
    isReading = true;
    return new Promise((resolve) => (goOn = resolve));
  };
  const one = rebuilder();
  await one.tend(await ask());
  await until(() => isReading);
  const stopped = one.stop();
  goOn();
  await stopped;
  const { rebuild } = await versions();
  expect(rebuild).toMatchObject({ id: 'asked', version: 3 });
  expect(rebuild).not.toHaveProperty('builder');
});

test('one that is stopped between two attempts lets others go on at once', async () => {
  let failures = 0;
  beforeRead = () => {
    failures += 1;
    throw new Unavailable('event store', 'It is away.');
  };
  const one = rebuilder('one', { ...hastyTuning.rebuilder, backOff: { first: 3_600_000, most: 3_600_000 } });
  await one.tend(await ask());
  await until(() => failures === 1);
  await one.stop();
  expect((await versions()).rebuild).not.toHaveProperty('builder');
});

test('one that is stopped as it was about to build lets others, and builds nothing', async () => {
  const found = await ask();
  const one = rebuilder();
  beforeSave = () => void one.stop();
  await one.tend(found);
  expect((await versions()).rebuild).not.toHaveProperty('builder');
  expect(declaring.size).toBe(0);
});

test('a version is dropped once it has been known to be obsolete for a while, without a break', async () => {
  const { clock } = bench;
  const one = rebuilder();
  const found = { ...(await versions()), obsolete: [7] };
  const { grace } = hastyTuning.rebuilder;
  await one.tend(found);
  clock.advance(grace - 1);
  await one.tend(found);
  await one.tend({ ...found, obsolete: [] });
  clock.advance(1);
  await one.tend(found);
  expect(dropped).toEqual([]);
  clock.advance(grace);
  await one.tend(found);
  expect(dropped).toEqual([7]);
});
