import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { QuarantineNotice } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { resumeSuspended } from './resume-suspended.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { suspendedOrders } from './suspended-orders.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { outOfTurn } from '@waybill/shared-kernel/testing/out-of-turn.js';
import type { Fate } from '../../testing/faulty-store.js';
import { CloudedStore, type Cloud } from '../testing/clouded-store.js';
import { Bench, Driven, types } from '../testing/fulfilment-bench.js';

/** Two orders of one partition, and one of any. */
const [bad, good] = neighbours();
const other = 'elsewhere';

function neighbours(): readonly [string, string] {
  const ids = Array.from({ length: 100 }, (_, index) => `o${index}`);
  return [ids[0]!, ids.find((id) => id !== ids[0] && partitionOf(id) === partitionOf(ids[0]!))!];
}

const timer = { sleep: () => Promise.resolve() };

/** A process manager that does not understand some events, and whoever tells it to go on. */
class Ward {
  readonly bench = new Bench();
  readonly store = new CloudedStore(this.bench.log);
  readonly notices: QuarantineNotice[] = [];
  readonly driven = new Driven(this.bench, this.store, {
    quarantined: (notice) => void this.notices.push(notice),
    timer,
  });

  async resume(orderId: string) {
    const actor = { sub: 'ann', role: 'operator' };
    const dependencies = { store: this.bench.log, clock: { time: () => new Date(0) }, actor, reason: 'mended' };
    return resumeSuspended(orderId, dependencies);
  }

  async types(stream: string) {
    return types(await this.bench.histories(), stream);
  }

  listed() {
    return this.bench.readStore.quarantined(suspendedOrders, undefined, 100);
  }
}

const confirmed = ['OrderPlaced', 'OrderConfirmed'];
const paid = ['FulfilmentStarted', 'FulfilmentPaymentRequested', 'FulfilmentPaymentSettled'];
const requested = [...paid, 'FulfilmentDeliveryRequested'];

describe('an order whose event cannot be handled', () => {
  test.each<[Cloud, string]>([
    ['version', 'Error: no upcaster for OrderConfirmed version 0'],
    ['payload', 'Error: The event does not name the order that it is about.'],
  ])('stands still, and no other does: %s', async (cloud, error) => {
    const ward = new Ward();
    ward.store.clouds.set(`order-${bad}@1`, cloud);
    for (const orderId of [bad, good, other]) await ward.bench.place(orderId);
    await ward.driven.work(100);

    for (const orderId of [good, other]) {
      expect(await ward.types(`fulfilment-${orderId}`)).toEqual(requested);
      expect(await ward.types(`delivery-${deliveryIdOf(orderId)}`)).toEqual(['DeliveryScheduled']);
    }
    expect(await ward.types(`fulfilment-${bad}`)).toEqual([...paid, 'FulfilmentSuspended']);
    const [event] = (await ward.bench.events()).filter(({ stream, revision }) => stream === `order-${bad}` && revision);
    const { id, stream, type, revision, position } = event!;
    expect(await ward.listed()).toMatchObject([
      { key: bad, degraded: { error, event: { id, stream, type, revision, position } } },
    ]);
    expect(ward.notices).toEqual([{ projection: 'fulfilment', key: bad, event: { id, stream, type }, error }]);
  });

  test('goes on where it stands when it is told to, in the order of the log, with who and why', async () => {
    const ward = new Ward();
    await ward.bench.place(bad);
    ward.store.clouds.set(`order-${bad}@1`, 'payload');
    await ward.driven.work(100);
    await ward.bench.cancel(bad);
    await ward.driven.work(100);
    expect(await ward.types(`fulfilment-${bad}`)).toEqual([...paid, 'FulfilmentSuspended']);

    ward.store.clouds.clear();
    await ward.resume(bad);
    await ward.driven.work(100);
    expect(await ward.types(`fulfilment-${bad}`)).toEqual([
      ...paid,
      ...['FulfilmentSuspended', 'FulfilmentResumed'],
      ...['FulfilmentDeliveryRequested', 'FulfilmentCancelled'],
      ...['FulfilmentPaymentRequested', 'FulfilmentPaymentSettled'],
    ]);
    expect(await ward.types(`delivery-${deliveryIdOf(bad)}`)).toEqual(['DeliveryScheduled', 'DeliveryCancelled']);
    expect(await ward.listed()).toEqual([]);
    const resumed = (await ward.bench.events()).find(({ type }) => type === 'FulfilmentResumed');
    expect(resumed).toMatchObject({ actor: { sub: 'ann' }, data: { reason: 'mended' } });
  });

  test('that fails again stands still again, longer than it seemed', async () => {
    const ward = new Ward();
    await ward.bench.place(bad);
    ward.store.clouds.set(`order-${bad}@1`, 'payload');
    await ward.driven.work(100);
    const [before] = await ward.listed();
    await ward.resume(bad);
    await ward.driven.work(100);
    const [after] = await ward.listed();
    expect(after!.degraded.since).toBe(before!.degraded.since);
    expect(await ward.types(`fulfilment-${bad}`)).toEqual([
      ...paid,
      ...['FulfilmentSuspended', 'FulfilmentResumed', 'FulfilmentSuspended'],
    ]);
    ward.store.clouds.clear();
    ward.driven.restart();
    await ward.resume(bad);
    await ward.driven.work(100);
    expect(await ward.listed()).toEqual([]);
    expect(await ward.types(`delivery-${deliveryIdOf(bad)}`)).toEqual(['DeliveryScheduled']);
    expect(await ward.resume(bad)).toBeUndefined();
  });

  test('may be one whose own memory cannot be read', async () => {
    const ward = new Ward();
    await ward.bench.place(bad);
    await ward.bench.place(good);
    ward.store.clouds.set(`fulfilment-${bad}@0`, 'version');
    await ward.driven.work(100, 1);
    await ward.driven.save();
    ward.driven.restart();
    await ward.driven.work(100);
    expect(await ward.types(`fulfilment-${bad}`)).toEqual([...paid.slice(0, 2), 'FulfilmentSuspended']);
    expect(await ward.types(`fulfilment-${good}`)).toEqual(requested);
    ward.store.clouds.clear();
    await ward.resume(bad);
    await ward.driven.work(100);
    expect(await ward.types(`delivery-${deliveryIdOf(bad)}`)).toEqual(['DeliveryScheduled']);
  });
});

test('what may pass suspends nobody', async () => {
  const ward = new Ward();
  await ward.bench.place(bad);
  ward.store.fate = () => 'lost';
  await expect(ward.driven.work(100)).rejects.toThrow(Unavailable);
  ward.store.fate = () => {
    throw new TypeError('whatever a driver throws');
  };
  await expect(ward.driven.work(100)).rejects.toThrow('whatever a driver throws');
  ward.store.fate = () => 'done';
  await ward.driven.work(100);
  expect(await ward.types(`order-${bad}`)).toEqual(confirmed);
  expect(ward.notices).toEqual([]);
});

describe('a process manager that dies at any moment, before and after it is told to go on,', () => {
  const steps: Readonly<Record<string, (bench: Bench, orderId: string) => Promise<void>>> = {
    cancelled: (bench, orderId) => bench.cancel(orderId),
    dispatched: (bench, orderId) => bench.dispatch(orderId),
    assigned: (bench, orderId) =>
      bench.onDelivery(orderId, { type: 'AssignDelivery', deliveryId: deliveryIdOf(orderId), courierId: 'k1' }),
    completed: (bench, orderId) =>
      bench.onDelivery(orderId, { type: 'CompleteDelivery', deliveryId: deliveryIdOf(orderId), proof: null }),
  };
  const anyDeaths = fc.record({
    fates: fc.array(fc.constantFrom<Fate>('done', 'done', 'lost', 'unheard', 'cut off'), { maxLength: 12 }),
    restarts: fc.array(fc.boolean(), { maxLength: 12 }),
    /** Before which tries the positions are saved. */
    saves: fc.array(fc.boolean(), { maxLength: 12 }),
    size: fc.integer({ min: 1, max: 10 }),
  });
  const anyRound = fc.record({
    act: fc.record({ step: fc.constantFrom(...Object.keys(steps)), order: fc.constantFrom(bad, good) }),
    isResumed: fc.boolean(),
    deaths: anyDeaths,
  });
  const anyCloudedPlace = fc.constantFrom(
    ...['order', 'delivery', 'fulfilment'].flatMap((category) =>
      [0, 1, 2].map((revision) => `${category}-${category === 'delivery' ? deliveryIdOf(bad) : bad}@${revision}`),
    ),
  );

  test('has done all that is due in the end, and each thing once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyCloudedPlace, { maxLength: 2 }),
        fc.array(anyRound, { maxLength: 6 }),
        async (clouds, rounds) => {
          const ward = new Ward();
          const { bench, store, driven } = ward;
          const calm = { fates: [], restarts: [], saves: [], size: 10 };
          for (const place of clouds) store.clouds.set(place, 'version');

          async function work({
            fates,
            restarts,
            saves,
            size,
          }: typeof calm | (typeof rounds)[number]['deaths']): Promise<void> {
            const ahead = [...fates];
            const [dying, saved] = [[...restarts], [...saves]];
            let failures = 0;
            store.fate = () => ahead.shift() ?? 'done';
            for (let alive = false; !alive;) {
              if (saved.shift() === true) await driven.save();
              alive = await driven.work(size).then(
                () => true,
                (error: unknown) => {
                  failures += 1;
                  if (failures > 30) throw error;
                  return false;
                },
              );
              if (!alive && dying.shift() === true) driven.restart();
            }
          }

          await bench.place(bad);
          await bench.place(good);
          for (const { act, isResumed, deaths } of rounds) {
            await steps[act.step]!(bench, act.order);
            if (isResumed) await ward.resume(bad);
            await work(deaths);
          }
          store.clouds.clear();
          // Who mends a program starts it anew: what it made of an event that it misread is gone.
          driven.restart();
          await work(calm);
          await ward.resume(bad);
          await work(calm);

          expect(await ward.listed()).toEqual([]);
          const events = await bench.events();
          expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
          expect(outOfTurn(events)).toEqual([]);
          expect(ward.notices.every(({ key }) => key === bad)).toBe(true);
          // Whoever does it all again from the beginning finds nothing to do.
          await new Driven(bench, bench.log, { positions: openSqliteReadStore(':memory:'), timer }).work(10);
          expect(await bench.events()).toEqual(events);
        },
      ),
      { numRuns: runs(15, 200) },
    );
  });
});
