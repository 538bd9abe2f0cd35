import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { liveVersion, type LiveVersion } from './live-version.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { requestRebuild } from '@waybill/projections/rebuild/request-rebuild.js';
import { Kept } from '@waybill/projections/rebuild/testing/kept.js';
import { watchedReadStore } from '@waybill/projections/rebuild/testing/watched-read-store.js';

describe('the live version', () => {
  let kept: Kept;
  let clock: VirtualClock;
  let live: LiveVersion;
  let looks: number;
  beforeEach(() => {
    kept = new Kept();
    clock = virtualClock(0);
    looks = 0;
    const readStore = kept.open();
    const watched = watchedReadStore(readStore, (name) => {
      if (name === 'versions') looks += 1;
    });
    live = liveVersion(orders, {
      clock,
      readStore: {
        versions: (name) => watched.versions(name),
        saveVersions: (name, versions) => readStore.saveVersions(name, versions),
        declare: (collection) => readStore.declare(collection),
        changeCounter: () => readStore.changeCounter(),
      },
    });
  });
  afterEach(() => kept.close());

  const rebuild = () => requestRebuild(orders, 'rebuild', kept.dependencies(), { alone: true });

  test('begins with that of the shape, which can be read at once', async () => {
    const { collection } = await live();
    expect(collection).toEqual(orders.collection);
    expect(await kept.versions(orders)).toMatchObject({ live: orders.collection.version });
  });

  test('is the new one soon after a switch, and the same as long as it is', async () => {
    const before = await live();
    await rebuild();
    expect(await live()).toBe(before);
    clock.advance(100);
    const after = await live();
    expect(after.collection.version).toBe(before.collection.version + 1);
    clock.advance(100);
    expect(await live()).toBe(after);
  });

  test('is looked at only now and then, and not at all where nothing changed', async () => {
    await Promise.all(Array.from({ length: 10 }, live));
    const first = looks;
    expect(first).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 10 }, live));
    expect(looks).toBe(first);
    clock.advance(100);
    await live();
    expect(looks).toBe(first + 1);
    for (let round = 0; round < 10; round += 1) {
      clock.advance(100);
      await live();
    }
    expect(looks).toBe(first + 1);
  });
});
