import { expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { outOfTurn } from '@waybill/shared-kernel/testing/out-of-turn.js';
import { BelievedTime } from './deadlines/believed-time.js';
import { Bench, Driven, types } from './testing/fulfilment-bench.js';

// An order whose writer's clock is an hour ahead of the log's, and a process manager whose clock is behind.

test('what follows from an event, or follows it in its stream, never happens before it', async () => {
  const bench = new Bench();
  const behind = virtualClock('2026-01-01T09:59:58Z');
  const driven = new Driven(bench, bench.store, {
    believedTime: new BelievedTime({ wallClock: behind, steadyClock: behind }),
  });
  await bench.list(10);
  bench.occurredAt = '2026-01-01T11:00:00.000Z';
  await bench.place('o1');
  bench.occurredAt = '2026-01-01T10:00:00.000Z';
  await driven.work(100);
  await bench.dispatch('o1');
  await bench.onDelivery('o1', { type: 'AssignDelivery', deliveryId: deliveryIdOf('o1'), courierId: 'k1' });
  await driven.work(100);
  await bench.onDelivery('o1', { type: 'CompleteDelivery', deliveryId: deliveryIdOf('o1'), proof: null });
  await driven.work(100);

  expect(types(await bench.histories(), 'payment-o1')).toEqual(['PaymentAuthorised', 'PaymentCaptured']);
  expect(outOfTurn(await bench.events())).toEqual([]);
  expect(
    (await bench.events()).filter(({ stream }) => stream === 'order-o1').map(({ occurredAt }) => occurredAt),
  ).toEqual(Array.from({ length: 4 }, () => '2026-01-01T11:00:00.000Z'));
});
