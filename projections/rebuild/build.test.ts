import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock as clock } from '@waybill/infra/clock/system.js';
import { logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { CollectionVersions, RebuildOutcome } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { catchUp } from '../projecting/catch-up.js';
import { orders } from '../read-models/orders.js';
import { fragile } from '../testing/fragile.js';
import { confirmed, placed } from '../testing/history.js';
import { documentsOf, straightFold } from '../testing/logs.js';
import { requestRebuild, type RequestTuning } from './request-rebuild.js';
import { hastyTuning, Kept } from './testing/kept.js';
import { watchedReadStore } from './testing/watched-read-store.js';
import { atVersion } from './versions.js';

const tuning: RequestTuning = { rebuilder: hastyTuning.rebuilder, answerTimeoutMs: 50, alonePatience: 20, look: 2 };
const live = atVersion(orders, 2);
const target = atVersion(orders, 3);

describe('a version that is being made', () => {
  let kept: Kept;
  beforeEach(async () => {
    kept = new Kept();
    await kept.happen(placed('o1'), placed('o2'), placed('o3'));
    await follow(live);
    await kept.reader.declare(target.collection);
  });
  afterEach(() => kept.close());

  /** Applies all that the log has, as the projector of a version does. */
  async function follow(projection: Projection): Promise<void> {
    await catchUp([projection], { store: kept.log, readStore: kept.reader, clock });
  }

  /** Writes what no event says into a document of a version. */
  async function spoil({ collection }: Projection, key: string): Promise<void> {
    const scanned = await kept.reader.scan(collection, undefined, 100);
    const { revisions, sections, fields, partition } = scanned.find((document) => document.key === key)!;
    const order = { ...(sections['order'] as object), spoilt: true };
    const write = { key, expected: revisions, revisions, sections: { ...sections, order }, fields, projectedAt: 'now' };
    expect(await kept.reader.commit({ collection, partition, writes: [write], position: logBeginning })).toEqual([]);
  }

  /** Makes version 3 alone; told of each of its calls of the read store before it is made. */
  async function rebuild(
    before: (name: string, version: number | undefined, asked: readonly unknown[]) => Promise<void> = async () => {},
    projection: Projection = orders,
  ): Promise<RebuildOutcome> {
    const readStore = watchedReadStore(kept.open(), async (name, asked) => {
      const [of] = asked as readonly (CollectionSpec | string)[];
      await before(name, typeof of === 'object' ? of.version : undefined, asked);
    });
    return (await requestRebuild(projection, 'rebuild', kept.dependencies(readStore), { alone: true }, tuning))!;
  }

  /** Does something before the first call that is so. */
  function once(
    isSo: (name: string, version: number | undefined, asked: readonly unknown[]) => boolean,
    work: () => Promise<void>,
  ) {
    let isDone = false;
    return async (name: string, version: number | undefined, asked: readonly unknown[]): Promise<void> => {
      if (isDone || !isSo(name, version, asked)) return;
      isDone = true;
      await work();
    };
  }

  const comparesTarget = (name: string, version?: number): boolean => name === 'scan' && version === 3;
  const comparesLive = (name: string, version?: number): boolean => name === 'scan' && version === 2;

  const liveOf = (versions: CollectionVersions): number => versions.shapes[orders.collection.version]!.live;
  const switches = (name: string, _: number | undefined, asked: readonly unknown[]): boolean =>
    name === 'saveVersions' && liveOf(asked[1] as CollectionVersions) === 3;

  /** Partitions in which the version that is being made is behind the live one. */
  async function behind(): Promise<readonly number[]> {
    const [before, made] = await Promise.all([live, target].map(({ collection }) => kept.reader.positions(collection)));
    return made!.flatMap(({ through }, partition) => (through < before![partition]!.through ? [partition] : []));
  }

  describe('is compared with the log', () => {
    const none = { count: 0, first: [] };
    const spoiltAt = (key: string) => ({
      count: 1,
      first: [expect.objectContaining({ key, path: '/sections/order/spoilt' })],
    });

    test('and so is the live one: where both differ from it, each has its own differences, and none is switched to', async () => {
      await spoil(live, 'o1');
      const outcome = await rebuild(once(comparesTarget, () => spoil(target, 'o2')));
      expect(outcome).toMatchObject({
        result: 'differs',
        documents: 3,
        differences: spoiltAt('o2'),
        mended: spoiltAt('o1'),
      });
      expect(await kept.versions(orders)).toMatchObject({ live: 2 });
    });

    test('and is not switched to where it alone differs', async () => {
      const outcome = await rebuild(once(comparesTarget, () => spoil(target, 'o2')));
      expect(outcome).toMatchObject({ result: 'differs', differences: spoiltAt('o2'), mended: none });
      expect(await kept.versions(orders)).toMatchObject({ live: 2 });
    });

    test('and is switched to where the live one alone differs', async () => {
      await spoil(live, 'o1');
      expect(await rebuild()).toMatchObject({ result: 'switched', differences: none, mended: spoiltAt('o1') });
      expect(await kept.versions(orders)).toMatchObject({ live: 3, previous: 2 });
    });

    test('when it has come as far as the live one was before', async () => {
      const moveOn = async (): Promise<void> => {
        await kept.happen(confirmed('o1'));
        await follow(live);
      };
      const isReplayed = (name: string, _: number | undefined, asked: readonly unknown[]): boolean =>
        name === 'saveVersions' && JSON.stringify(asked[1]).includes('"following"');
      const moving = once(isReplayed, moveOn);
      let found: readonly number[] | undefined;
      const looking = once(comparesTarget, async () => {
        found = await behind();
      });
      const outcome = await rebuild(async (...call) => {
        await moving(...call);
        await looking(...call);
      });
      expect([outcome.result, found]).toEqual(['switched', []]);
    });
  });

  describe('is switched to', () => {
    async function expectLevel(moves: Parameters<typeof rebuild>[0] & object): Promise<void> {
      let found: readonly number[] | undefined;
      const looking = once(switches, async () => {
        found = await behind();
      });
      const outcome = await rebuild(async (...call) => {
        await moves(...call);
        await looking(...call);
      });
      expect(outcome).toMatchObject({ result: 'switched', differences: { count: 0 }, mended: { count: 0 } });
      expect(found).toEqual([]);
      expect(await wholeLog(kept.log)).toHaveLength(5);
      expect(await documentsOf(kept.reader, target)).toEqual(await straightFold(kept.log, orders));
    }

    test('when it shows what the live one did, which moved on while they were compared', async () => {
      await expectLevel(
        once(comparesLive, async () => {
          await kept.happen(confirmed('o1'), placed('o4'));
          await follow(live);
        }),
      );
    });

    test('in a moment in which both are level, where a projector keeps both up', async () => {
      let isCompared = false;
      let looks = 0;
      await expectLevel(async (name, version) => {
        isCompared ||= comparesLive(name, version);
        if (!isCompared || name !== 'positions' || version !== 3) return;
        looks += 1;
        // It was level with what it had to wait for, and is not any more; the projector comes to it later.
        if (looks === 1) {
          await kept.happen(confirmed('o1'), placed('o4'));
          await follow(live);
        }
        if (looks === 3) await follow(target);
      });
      expect(looks).toBeGreaterThanOrEqual(3);
    });
  });

  describe('in which a document is quarantined', () => {
    /** The projection that cannot apply the first event of any of these orders. */
    async function breaking(keys: readonly string[]): Promise<Projection> {
      const events = await wholeLog(kept.log);
      const broken = events.filter(
        ({ stream, revision }) => revision === 0 && keys.includes(stream.slice('order-'.length)),
      );
      return fragile(orders, new Map(broken.map(({ id }) => [id, 'fold'] as const)));
    }

    test('that the live one shows is not switched to, and says of which event that is', async () => {
      const outcome = await rebuild(undefined, await breaking(['o2']));
      expect(outcome).toMatchObject({
        result: 'differs',
        differences: {
          count: 1,
          first: [
            {
              key: 'o2',
              path: '/degraded',
              expected: 'null',
              actual: JSON.stringify({ quarantined: 'TypeError: this event makes no sense' }),
              divergedAt: '2',
            },
          ],
        },
      });
      expect(await kept.versions(orders)).toMatchObject({ live: 2 });
    });

    test('that is quarantined in the live one too is switched to', async () => {
      await kept.happen(placed('o4'));
      const projection = await breaking(['o4']);
      await follow(projection);
      expect(await rebuild(undefined, projection)).toMatchObject({ result: 'switched', differences: { count: 0 } });
    });

    test('is not switched to for one behind a hundred that are quarantined in both', async () => {
      const keys = Array.from({ length: 101 }, (_, index) => `p${String(index).padStart(3, '0')}`);
      await kept.happen(...keys.map((key) => placed(key)));
      await follow(await breaking(keys.slice(0, 100)));
      const outcome = await rebuild(undefined, await breaking(keys));
      expect(outcome).toMatchObject({
        result: 'differs',
        differences: { count: 1, first: [{ key: 'p100', path: '/degraded' }] },
      });
    });
  });
});
