import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import {
  systemClock as clock,
  systemRandomness as randomness,
  systemTimer as timer,
} from '@waybill/infra/clock/system.js';
import { openLog } from '@waybill/infra/event-store/sqlite/log-file.js';
import { openSqliteEventStore, type SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { verifyReadModels } from '../audit/verify-read-models.js';
import { catchUp } from './catch-up.js';
import { orders } from '../read-models/orders.js';
import { liveProjections } from '../rebuild/change-versions.js';
import { requestRebuild, type RequestTuning } from '../rebuild/request-rebuild.js';
import { hastyTuning } from '../rebuild/testing/kept.js';
import { readEverythingOf } from '../replay/order.js';
import { cancelled, confirmed, placed } from '../testing/history.js';
import { appendAll } from '../testing/logs.js';

const tuning: RequestTuning = { rebuilder: hastyTuning.rebuilder, answerTimeoutMs: 50, alonePatience: 20, look: 2 };

let folder: string;
let log: SqliteEventStore;
let readStore: ReadStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-rows-'));
  log = openSqliteEventStore(join(folder, 'log.sqlite'), { clock });
  readStore = openSqliteReadStore(':memory:');
});

afterEach(async () => {
  await Promise.all([log.close(), readStore.close()]);
  await rm(folder, { recursive: true });
});

test.each([
  [0, 1],
  [1, 2],
])(
  'of an order whose row of revision %d was deleted the last state is kept, and nobody folds over the gap',
  async (revision, next) => {
    await appendAll(
      log,
      ['o1', 'o2'].flatMap((orderId) => [placed(orderId), confirmed(orderId), cancelled(orderId)]),
    );
    const project = async () => catchUp(await liveProjections([orders], readStore), { store: log, readStore, clock });
    await project();
    const file = openLog(join(folder, 'log.sqlite'));
    file.prepare(`DELETE FROM events WHERE stream = 'order-o1' AND revision = ${revision}`).run();
    file.close();
    const cut = [{ projection: 'orders', key: 'o1', stream: 'order-o1', firstRevision: next }];
    const audit = async () => verifyReadModels(await liveProjections([orders], readStore), { store: log, readStore });
    expect(await audit()).toMatchObject({ ok: false, differences: [], cut });
    await expect(readEverythingOf(log, 'o1')).rejects.toMatchObject({ kind: 'stream-cut', firstRevision: next });
    const dependencies = { store: log, readStore, clock, steadyClock, timer, randomness };
    const outcome = await requestRebuild(orders, 'rebuild', dependencies, { alone: true }, tuning);
    expect(outcome).toMatchObject({ result: 'switched' });
    const [live] = await liveProjections([orders], readStore);
    const found = await readStore.load(live!.collection, ['o1', 'o2']);
    const [o1, o2] = found.toSorted((one, other) => (one.key < other.key ? -1 : 1));
    expect(o1).toMatchObject({
      revisions: { order: 2 },
      degraded: { cut: { stream: 'order-o1', firstRevision: next } },
    });
    expect(o2).toMatchObject({ revisions: { order: 2 } });
    expect(o2).not.toHaveProperty('degraded');
    expect(await audit()).toMatchObject({ ok: false, differences: [], cut });
  },
);
