import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock as clock, systemRandomness as randomness } from '@waybill/infra/clock/system.js';
import type { RebuildKind } from '@waybill/shared-kernel/ports/collection-versions.js';
import { orders } from '../read-models/orders.js';
import { placed } from '../testing/history.js';
import { documentsOf, straightFold } from '../testing/logs.js';
import { rebuildMisfits } from './rebuild-misfits.js';
import { Kept } from './testing/kept.js';

let kept: Kept;
beforeEach(() => {
  kept = new Kept();
});
afterEach(() => kept.close());

const ask = (): Promise<readonly string[]> =>
  rebuildMisfits([orders], { store: kept.log, readStore: kept.reader, clock, randomness });

async function misfit(version: number): Promise<void> {
  const { collection } = await kept.at(orders, version);
  const position = { through: 50, anchors: [[50, 'lost']] } as const;
  await kept.reader.commit({ collection, partition: 0, writes: [], position });
}

async function expectMadeAnew(version: number): Promise<void> {
  kept.keep([orders]);
  const { live, last } = await kept.ended(orders);
  expect({ live, last }).toMatchObject({ live: version, last: { kind: 'rebuild', version, result: 'switched' } });
  const onto = await kept.live(orders);
  await kept.applied(onto);
  expect(await documentsOf(kept.reader, onto)).toEqual(await straightFold(kept.log, orders));
  expect(await ask()).toEqual([]);
}

test('asks for nothing where all is of this log', async () => {
  await kept.happen(placed('o1'));
  expect(await ask()).toEqual([]);
  expect((await kept.versions(orders)).rebuild).toBeUndefined();
});

test('asks once, and leaves a rebuild that is of this log', async () => {
  await kept.happen(placed('o1'));
  await misfit((await kept.versions(orders)).live);
  expect(await ask()).toEqual(['orders']);
  const { rebuild } = await kept.versions(orders);
  expect(rebuild).toMatchObject({ kind: 'rebuild', version: 3 });
  expect(await ask()).toEqual(['orders']);
  expect((await kept.versions(orders)).rebuild).toEqual(rebuild);
  await expectMadeAnew(3);
});

test.each<[RebuildKind, number]>([
  ['rebuild', 5],
  ['rollback', 4],
])('ends a %s that was half-way and is not of this log either, and asks anew', async (kind, anew) => {
  await kept.happen(placed('o1'));
  const keeper = kept.keep([orders]);
  await keeper.following;
  await kept.request(orders);
  await kept.ended(orders);
  await kept.stopKeeping();
  await kept.request(orders, kind);
  const { live, rebuild } = await kept.versions(orders);
  await misfit(live);
  await misfit(rebuild!.version);
  expect(await ask()).toEqual(['orders']);
  const { last } = await kept.versions(orders);
  expect(last).toMatchObject({ kind, result: 'failed', reason: expect.stringMatching('made from another log') });
  await expectMadeAnew(anew);
});
