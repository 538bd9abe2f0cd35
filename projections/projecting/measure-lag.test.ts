import { afterEach, expect, test } from '@jest/globals';
import { upTo } from '@waybill/shared-kernel/testing/at.js';
import { measureLag, measureLagOf, relayFollower } from '@waybill/shared-kernel/subscriptions/measure-lag.js';
import type { StreamReader, LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import { verifyReadModels } from '../audit/verify-read-models.js';
import { orders } from '../read-models/orders.js';
import { confirmed, placed } from '../testing/history.js';
import { appendAll } from '../testing/logs.js';
import { OrdersBench } from '../testing/orders-bench.js';

let bench: OrdersBench;
afterEach(() => bench.end());

/** A log that shows less than it is known to have, as a replica that is behind. */
async function behind(): Promise<StreamReader & LogReader> {
  bench = await OrdersBench.open([placed('o1'), placed('o2'), confirmed('o1')]);
  const { log } = bench;
  return {
    head: () => log.head(),
    recordAt: (position) => log.recordAt(position),
    readStream: (...asked) => log.readStream(...asked),
    cutOf: (stream) => log.cutOf(stream),
    readAll: async (after) => ({ ...(await log.readAll(after, Math.max(0, 2 - after))), isEnd: true }),
  };
}

const notFoundOrQuarantined = { kind: 'unavailable', what: 'event store' };

test('a log that does not show its end is not taken for one behind which nobody is', async () => {
  const store = await behind();
  const { clock, readStore } = bench;
  await expect(measureLag([orders], { store, readStore, clock })).rejects.toMatchObject(notFoundOrQuarantined);
  await expect(measureLagOf(relayFollower(upTo(0)), { store, clock }, 1_000)).rejects.toMatchObject(
    notFoundOrQuarantined,
  );
  expect(await measureLag([orders], { store: bench.log, readStore, clock })).toMatchObject({ relay: { lagEvents: 3 } });
});

test('nor is a read model compared with what it shows', async () => {
  const store = await behind();
  await expect(verifyReadModels([orders], { store, readStore: bench.readStore })).rejects.toMatchObject(
    notFoundOrQuarantined,
  );
});

test('what waits in a log that is ahead of the clock is as old as the log says', async () => {
  bench = await OrdersBench.open([]);
  const { clock, readStore, log } = bench;
  const minutes = 60_000;
  clock.advance(60 * minutes);
  await appendAll(log, [placed('o1')]);
  clock.advance(5 * minutes);
  await appendAll(log, [placed('o2')]);
  clock.advance(-60 * minutes);
  expect(await measureLag([orders], { store: log, readStore, clock })).toMatchObject({
    relay: { lagSeconds: 300 },
    projections: [{ lagSeconds: 300 }],
  });
});
