import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import { EventFromTheFuture, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { CollectionVersions, Rebuild } from '@waybill/shared-kernel/ports/collection-versions.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { orders } from '../read-models/orders.js';
import { broken, cancelled, confirmed, placed } from '../testing/history.js';
import { documentsOf, straightFold } from '../testing/logs.js';
import { changeVersions } from './change-versions.js';
import { none } from './found-differences.js';
import { requestRebuild, type RequestOptions, type RequestTuning } from './request-rebuild.js';
import { hastyTuning, Kept } from './testing/kept.js';
import { ended, knownVersions, requested } from './versions.js';

const tuning: RequestTuning = { rebuilder: hastyTuning.rebuilder, answerTimeoutMs: 50, alonePatience: 20, look: 2 };

describe('asking for a rebuild', () => {
  let kept: Kept;
  beforeEach(async () => {
    kept = new Kept();
    await kept.happen(placed('o1'), placed('o2'));
  });
  afterEach(() => kept.close());

  const ask = (kind: 'rebuild' | 'rollback', options: RequestOptions, with_: Partial<RequestTuning> = {}) =>
    requestRebuild(orders, kind, kept.dependencies(), options, { ...tuning, ...with_ });

  async function expectLiveIsRight(version: number): Promise<void> {
    const live = await kept.live(orders);
    expect(live.collection.version).toBe(version);
    expect(await documentsOf(kept.reader, live)).toEqual(await straightFold(kept.log, orders));
  }

  test('alone does it, whatever the read model lacked, and tells how far it is', async () => {
    const told: Rebuild[] = [];
    const outcome = await ask('rebuild', { alone: true, onProgress: (rebuild) => told.push(rebuild) });
    expect(outcome).toMatchObject({ result: 'switched', version: 3, documents: 2 });
    await expectLiveIsRight(3);
    expect(told[0]).toMatchObject({ kind: 'rebuild', version: 3, step: 'replaying' });
    await ask('rebuild', { alone: true });
    expect(await kept.versions(orders)).toMatchObject({ live: 4, previous: 3, obsolete: [] });
    await kept.happen(placed('o3'));
    expect(await ask('rollback', { alone: true })).toMatchObject({ result: 'switched', version: 3, documents: 3 });
    await expectLiveIsRight(3);
  });

  test('where a projector runs lets it do the work', async () => {
    await kept.keep([orders]).following;
    const builders = new Set<string | undefined>();
    const outcome = await ask(
      'rebuild',
      { alone: false, onProgress: ({ builder }) => builders.add(builder?.id) },
      { answerTimeoutMs: 3_600_000 },
    );
    expect(outcome).toMatchObject({ result: 'switched', version: 3 });
    await expectLiveIsRight(3);
  });

  test('leaves it to projectors while they may still begin', async () => {
    const stop = new AbortController();
    const told: Rebuild[] = [];
    const onProgress = (rebuild: Rebuild): void => {
      told.push(rebuild);
      if (told.length === 5) stop.abort();
    };
    const options = { alone: false, onProgress, signal: stop.signal };
    expect(await ask('rebuild', options, { answerTimeoutMs: 3_600_000 })).toBeUndefined();
    expect(told.map(({ builder }) => builder)).toEqual(Array<undefined>(5).fill(undefined));
    expect((await kept.versions(orders)).rebuild).not.toHaveProperty('builder');
  });

  /** What others do at one moment: the rebuild that is under way ends, and others are asked for, of which so many end too. */
  async function overtake(ends: number): Promise<void> {
    await changeVersions(orders.collection, kept.reader, (versions) => {
      const end = (before: CollectionVersions) => {
        const { id, kind, version } = knownVersions(before, orders.collection).rebuild!;
        const outcome = { id, kind, version, endedAt: '', result: 'failed', reason: id } as const;
        return ended(before, orders.collection, { ...outcome, documents: 0, differences: none, mended: none })!;
      };
      let next = requested(end(versions), orders.collection, 'rebuild', 'another');
      for (let count = 0; count < ends; count += 1) next = end(next);
      return { ...next, revision: versions.revision + 1 };
    });
  }

  test('is answered with how its own ended, though another is under way by then', async () => {
    const ids: string[] = [];
    const onProgress = ({ id }: Rebuild): void => {
      if (ids.push(id) === 1) void overtake(0);
    };
    const outcome = await ask('rebuild', { alone: false, onProgress }, { answerTimeoutMs: 3_600_000 });
    expect(outcome).toMatchObject({ id: ids[0], result: 'failed' });
    expect(new Set(ids).size).toBe(1);
  });

  test('says so where another has come and gone since, so that nobody knows how its own ended', async () => {
    let asked = 0;
    const onProgress = (): void => {
      if ((asked += 1) === 1) void overtake(1);
    };
    const asking = ask('rebuild', { alone: false, onProgress }, { answerTimeoutMs: 3_600_000 });
    await expect(asking).rejects.toThrow('Another rebuild of orders came since.');
  });

  test('where nobody begins does it after a while', async () => {
    expect(await ask('rebuild', { alone: false })).toMatchObject({ result: 'switched' });
    await expectLiveIsRight(3);
  });

  test('where whoever was at it is gone, alone, goes on with it', async () => {
    const stop = new AbortController();
    const interrupted = ask('rebuild', { alone: false, signal: stop.signal }, { answerTimeoutMs: 3_600_000 });
    await until(async () => (await kept.versions(orders)).rebuild !== undefined);
    stop.abort();
    expect(await interrupted).toBeUndefined();
    await expect(ask('rollback', { alone: true })).rejects.toThrow('A rebuild of orders is under way, to version 3.');
    await expect(ask('rebuild', { alone: false })).rejects.toThrow('A rebuild of orders is under way, to version 3.');
    expect(await ask('rebuild', { alone: true })).toMatchObject({ result: 'switched', version: 3 });
    await expectLiveIsRight(3);
  });

  test('where the log cannot be read to its end ends and says why, with the read model as it was', async () => {
    await ask('rebuild', { alone: true });
    const before = await documentsOf(kept.reader, await kept.live(orders));
    const { event, stream } = placed('o4');
    await kept.log.append(stream, -1, [{ ...event, schemaVersion: 99 }]);
    const reason = `Version 4 stands still at position 2: ${new EventFromTheFuture('OrderPlaced', 99).message}`;
    expect(await ask('rebuild', { alone: true })).toMatchObject({ result: 'failed', reason, version: 4 });
    expect(await kept.versions(orders)).toMatchObject({ live: 3, previous: 2, obsolete: [] });
    expect(await documentsOf(kept.reader, await kept.live(orders))).toEqual(before);
  });

  test('where events cannot be applied quarantines their documents in the new version, and the others go over', async () => {
    await kept.happen(broken(cancelled('o1')), confirmed('o2'));
    expect(await ask('rebuild', { alone: true })).toMatchObject({ result: 'switched', version: 3, documents: 2 });
    const live = await kept.live(orders);
    const quarantined = await kept.reader.quarantined(live.collection, undefined, 10);
    expect(quarantined).toMatchObject([{ key: 'o1', revisions: { order: 0 } }]);
    const documents = await documentsOf(kept.reader, live);
    expect(documents.map(({ key, revisions }) => [key, revisions])).toEqual([
      ['o1', { order: 0 }],
      ['o2', { order: 1 }],
    ]);
  });

  test('where an event cannot be read goes as far as it can be folded, though the live version is behind that', async () => {
    await ask('rebuild', { alone: true });
    await kept.happen(confirmed('o1'));
    await appendUnreadable(kept.log, 'order-o1', 1);
    expect(await ask('rebuild', { alone: true })).toMatchObject({ result: 'switched', version: 4 });
    const quarantined = await kept.reader.quarantined((await kept.live(orders)).collection, undefined, 10);
    expect(quarantined).toMatchObject([{ key: 'o1', revisions: { order: 1 }, degraded: { event: { revision: 2 } } }]);
  });

  test('where a store is down says so, and can be repeated', async () => {
    const dependencies = kept.dependencies();
    const down = (): Promise<never> => Promise.reject(new Unavailable('event store', 'It is down.'));
    const store = { readAll: down, recordAt: down, readStream: down, cutOf: down, head: down };
    await expect(
      requestRebuild(orders, 'rebuild', { ...dependencies, store }, { alone: true }, tuning),
    ).rejects.toThrow('It is down.');
    expect(await ask('rebuild', { alone: true })).toMatchObject({ result: 'switched', version: 3 });
  });
});
