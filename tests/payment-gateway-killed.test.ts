import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { freePorts } from '@waybill/infra/testing/loopback-port.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { operatorToken, runCommandLine } from './support/command-line.js';
import { FollowedLog } from './support/followed-log.js';
import { bookedIn } from './support/money.js';
import { PartProcess } from './support/part-process.js';
import { startServer, type Server } from './support/server.js';
import { endingOf, hasEnded, saidTwice, wronglyBooked } from './support/shop/ending.js';
import type { OrderPlan } from './support/shop/plan.js';
import { Shop, type Story } from './support/shop/story.js';
import { waitUntil } from './support/wait-until.js';

const run = 'away';
const secret = 'a secret that only a test knows, and the gateway';

let folder: string;
let gateway: PartProcess | undefined;
let server: Server | undefined;
let log: FollowedLog | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-gateway-killed-'));
});
afterEach(async () => {
  await log?.close();
  await server?.stop('SIGKILL');
  await gateway?.kill();
  await rm(folder, { recursive: true, force: true });
});

const bought: OrderPlan = {
  lines: [{ kind: 'cup', quantity: 2 }],
  token: 'tok_approve',
  cancels: 'never',
  courier: 'never comes',
};
const plansBefore: readonly OrderPlan[] = [
  ...(['tok_approve', 'tok_slow', 'tok_double', 'tok_fail_once'] as const).flatMap((token): OrderPlan[] => [
    { ...bought, token },
    { ...bought, token, courier: 'delivers' },
    { ...bought, token, courier: 'brings it back' },
    { ...bought, token, cancels: 'late' },
  ]),
  { ...bought, token: 'tok_decline' },
];
const plansMeanwhile: readonly OrderPlan[] = [
  { ...bought, token: 'tok_decline' },
  { ...bought, cancels: 'early' },
  ...Array.from({ length: 8 }, (): OrderPlan => ({ ...bought, courier: 'delivers' })),
];

test('killed while orders are paid, the gateway is asked again when it is back: orders wait, and all goes on by itself', async () => {
  const [gatewayPort, writePort] = await freePorts(2);
  const [shopFolder, gatewayFolder] = [join(folder, 'shop'), join(folder, 'gateway')];
  const startGateway = (): Promise<PartProcess> =>
    PartProcess.start('payment-simulator', {
      WAYBILL_DATA: gatewayFolder,
      WAYBILL_SIMULATOR_PORT: String(gatewayPort),
      WAYBILL_WEBHOOK_SECRET: secret,
      WAYBILL_WEBHOOK_URL: `http://127.0.0.1:${writePort}/v1/payments/webhook`,
    });
  gateway = await startGateway();
  const { writeUrl, readUrl } = (server = await startServer(shopFolder, {
    WAYBILL_WRITE_PORT: String(writePort),
    WAYBILL_PAYMENT_URL: `http://127.0.0.1:${gatewayPort}`,
    WAYBILL_WEBHOOK_SECRET: secret,
  }));
  const followed = (log = new FollowedLog(
    openSqliteEventStore(dataFiles(shopFolder).log, { clock: systemClock, pollMs: 1 }),
  ));
  const token = await operatorToken(shopFolder);
  const shop = new Shop({ run, token, log: followed, url: () => Promise.resolve(writeUrl) });
  await shop.open();
  const count = (type: string): number => followed.events.filter((event) => event.type === type).length;

  const before = plansBefore.map((plan, index) => shop.carryOut(plan, `before-${index}`));
  await followed.until('some payments are under way', () => count('PaymentAuthorised') >= 3);
  await gateway.kill();

  const meanwhile = plansMeanwhile.map((plan, index) => shop.carryOut(plan, `meanwhile-${index}`));
  const waiting = plansMeanwhile.flatMap(({ cancels }, index) => (cancels === 'never' ? [`meanwhile-${index}`] : []));
  await waitUntil('the gateway was asked in vain', async () => {
    const metrics = await (await fetch(`${readUrl}/metrics`)).text();
    const inVain = [
      ...metrics.matchAll(/gateway_calls_total\{step="authorise",outcome="(?:unavailable|not-asked)"\} (\d+)/g),
    ];
    return inVain.reduce((sum, [, calls]) => sum + Number(calls), 0) >= waiting.length / 2;
  });
  for (const name of waiting) {
    const events = (): readonly RecordedEvent[] => followed.of(`${name}-${run}`);
    await followed.until(`${name} waits for its payment`, () => endingOf(events()).state === 'authorising');
    expect(endingOf(events())).toEqual({ order: 'OrderPlaced', state: 'authorising', deadline: 'payment' });
    expect(events().filter(({ stream }) => categoryOf(stream) === 'payment')).toEqual([]);
  }

  gateway = await startGateway();
  const all = await Promise.all([...before, ...meanwhile]);
  const open = (): readonly Story[] => all.filter((story) => !hasEnded(story, followed.of(story.orderId)));
  await followed.until('every order has come to its end', () => open().length === 0);
  expect(await server.stop('SIGINT')).toBe(0);

  const entries = await bookedIn(gatewayFolder);
  expect(all.flatMap((story) => wronglyBooked(story, followed.of(story.orderId), entries))).toEqual([]);
  expect(entries.filter(({ reference }) => !all.some(({ orderId }) => orderId === reference))).toEqual([]);
  expect(saidTwice(followed.events)).toEqual([]);
  const verified = await runCommandLine(shopFolder, ['audit', 'verify', '--json']);
  expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, differences: [] });
}, 300_000);
