import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { operatorToken, runCommandLine } from './support/command-line.js';
import { FollowedLog } from './support/followed-log.js';
import { bookedIn } from './support/money.js';
import { seed } from './support/seed.js';
import { startServer, type Server } from './support/server.js';
import { endingOf, hasEnded, piecesLeft, saidTwice, wronglyBooked } from './support/shop/ending.js';
import { plansOf } from './support/shop/plan.js';
import { Shop, type Story } from './support/shop/story.js';

const orders = runs(24, 120);
const kills = runs(1, 7);
/** Customers at the same time. */
const atOnce = 8;
const run = 'killed';

let dataFolder: string;
beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'waybill-killed-on-the-way-'));
});
afterEach(() => rm(dataFolder, { recursive: true, force: true }));

async function waybill(...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommandLine(dataFolder, words);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

/** How many events there are when it is killed, and how many turns of the event loop later, each time. */
function momentsOf(seed: number): readonly (readonly [events: number, turns: number])[] {
  const gaps = fc.tuple(fc.integer({ min: 40, max: 180 }), fc.integer({ min: 0, max: 100 }));
  let events = 0;
  return fc.sample(gaps, { seed, numRuns: kills, unbiased: true }).map(([more, turns]) => [(events += more), turns]);
}

test(`killed at any moment, every order goes on where it was, and no money and no piece is lost or taken twice (seed ${seed})`, async () => {
  const token = await operatorToken(dataFolder);
  let server: Promise<Server> = startServer(dataFolder);
  await server;
  const log = new FollowedLog(openSqliteEventStore(dataFiles(dataFolder).log, { clock: systemClock, pollMs: 1 }));
  const shop = new Shop({ run, token, log, url: async () => (await server).writeUrl });
  try {
    await shop.open();

    const stories: Promise<Story>[] = [];
    const plans = plansOf(seed, orders);
    const customer = async (): Promise<void> => {
      while (stories.length < plans.length) {
        const index = stories.length;
        const name = `o${index}`;
        stories.push(shop.carryOut(plans[index]!, name));
        // Whoever placed one does not wait for its courier before the next.
        await log.until(`${name} is placed`, () => log.of(`${name}-${run}`).length > 0);
      }
    };
    const told = Promise.all(Array.from({ length: atOnce }, customer)).then(() => Promise.all(stories));

    let died = 0;
    for (const [events, turns] of momentsOf(seed)) {
      const isOver = await Promise.race([
        log.until(`there are ${events} events`, () => log.events.length >= events).then(() => false),
        told.then(() => true),
      ]);
      if (isOver) break;
      for (let turn = 0; turn < turns; turn += 1) await setImmediate();
      const victim = await server;
      server = victim.stop('SIGKILL').then(() => startServer(dataFolder));
      await server;
      died += 1;
    }
    const all = await told;

    const open = (): readonly Story[] => all.filter((story) => !hasEnded(story, log.of(story.orderId)));
    await log.until(
      () => `these have come to their end: ${JSON.stringify(open().map((s) => [s, endingOf(log.of(s.orderId))]))}`,
      () => open().length === 0,
    );
    expect(await (await server).stop('SIGINT')).toBe(0);

    expect(saidTwice(log.events)).toEqual([]);
    const entries = await bookedIn(dataFolder);
    expect(all.flatMap((story) => wronglyBooked(story, log.of(story.orderId), entries))).toEqual([]);
    const ids = new Set(all.map(({ orderId }) => orderId));
    expect(entries.filter(({ reference }) => !ids.has(reference))).toEqual([]);
    for (const kind of ['cup', 'rare'] as const) {
      const stock = log.of(shop.productOf(kind)).at(-1);
      expect({ kind, data: stock?.data }).toMatchObject({
        kind,
        data: { stock: piecesLeft(kind, all, (orderId) => log.of(orderId)) },
      });
    }

    const waiting = all
      .map(({ orderId }) => ({ orderId, ...endingOf(log.of(orderId)) }))
      .filter(({ deadline }) => deadline !== null)
      .map(({ orderId, state, deadline }) => ({ orderId, state, deadline }));
    const listed = JSON.parse(await waybill('fulfilment', 'list', '--limit', '500', '--json')) as {
      fulfilments: readonly { orderId: string }[];
    };
    expect(listed.fulfilments).toHaveLength(waiting.length);
    expect(listed.fulfilments).toEqual(
      expect.arrayContaining(waiting.map((one): unknown => expect.objectContaining(one))),
    );
    expect(JSON.parse(await waybill('audit', 'verify', '--json'))).toMatchObject({ ok: true, differences: [] });
    process.stdout.write(`${orders} orders, ${log.events.length} events, ${died} kills, seed ${seed}\n`);
  } finally {
    await log.close();
    await (await server.catch(() => undefined))?.stop('SIGKILL');
  }
}, 600_000);
