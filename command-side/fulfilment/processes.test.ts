import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock, systemRandomness } from '@waybill/infra/clock/system.js';
import { openSqliteEventStore, type SqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { beginning, noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { envelopes } from '../handling/envelope.js';
import { order } from '../ordering/order.js';
import { timeLimits } from './deadlines/time-limits.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

const program = fileURLToPath(new URL('./testing/fulfilment-process.js', import.meta.url));

let folder: string;
let store: SqliteEventStore;
let processes: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-fulfilment-'));
  store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
  processes = [];
});

afterEach(async () => {
  await Promise.all(processes.map(kill));
  await store.close();
  await rm(folder, { recursive: true });
});

/** `ahead`: how far its clock is ahead of ours, milliseconds. */
function start(ahead = 0): ChildProcess {
  const child = fork(program, [folder, String(ahead)]);
  processes.push(child);
  return child;
}

async function holds(child: ChildProcess, partitions: number): Promise<void> {
  for (let held = 0; held !== partitions;) [held] = (await once(child, 'message')) as [number];
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function place(orderId: string, token = 'tok_approve'): Promise<void> {
  const line = { productId: 'p1', merchantId: 'm1', name: 'Tea', quantity: 1, unitPrice: 5, freight: null };
  const placed = { orderId, customerId: 'c1', lines: [line], currency: 'KRW', total: 5, promisedBy: null };
  const sealed = { deliveryAddress: 'sealed.1.c1.AAAA', paymentToken: token };
  const events = order.decide({ type: 'PlaceOrder', order: { ...placed, ...sealed } }, order.initialState);
  const id = systemRandomness.uuid();
  const cause = { id, occurredAt: '2026-01-01T09:00:00.000Z', correlationId: id };
  const noMore = { traceparent: undefined, actor: undefined, request: undefined };
  await store.append(
    `order-${orderId}`,
    noStream,
    envelopes(events, orderId, { ...cause, ...noMore }, systemRandomness),
  );
}

/** Whoever takes over from one that died may do so later than an answer is waited for: then it is asked for again. */
function isAskedAgain({ type, data }: RecordedEvent): boolean {
  return type === 'FulfilmentPaymentRequested' && data['attempt'] !== 1;
}

async function typesByStream(): Promise<Readonly<Record<string, readonly string[]>>> {
  const streams: Record<string, string[]> = {};
  for (const event of await wholeLog(store)) {
    if (!isAskedAgain(event)) (streams[event.stream] ??= []).push(event.type);
  }
  return streams;
}

/** Resolves when there are so many events of a type. */
async function untilThereAre(count: number, type: string): Promise<void> {
  const enough = new AbortController();
  let found = 0;
  for await (const { events } of store.subscribe(beginning, 50, enough.signal)) {
    found += events.filter((event) => event.type === type && !isAskedAgain(event)).length;
    if (found >= count) enough.abort();
  }
}

test('process managers of which one after the other is killed do for each order what is due, once', async () => {
  const [one, other] = [start(), start()];
  await Promise.all([holds(one, 4), holds(other, 4)]);

  const orderIds = Array.from({ length: 400 }, (_, index) => `o${index}`);
  const placing = orderIds.reduce((before, orderId) => before.then(() => place(orderId)), Promise.resolve());
  const events: RecordedEvent[] = [];
  const whole = new AbortController();
  // How many events there are when it dies and somebody else comes.
  const deaths = new Map([
    [500, one],
    [2000, other],
  ]);
  for await (const batch of store.subscribe(0, 50, whole.signal)) {
    events.push(...batch.events.filter((event) => !isAskedAgain(event)));
    for (const [count, victim] of deaths) {
      if (events.length < count) continue;
      deaths.delete(count);
      await kill(victim);
      start();
    }
    if (events.length >= 8 * orderIds.length) whole.abort();
  }
  await placing;

  const streams = await typesByStream();
  for (const orderId of orderIds) {
    expect(streams[`order-${orderId}`]).toEqual(['OrderPlaced', 'OrderConfirmed']);
    expect(streams[`fulfilment-${orderId}`]).toEqual([
      ...['FulfilmentStarted', 'FulfilmentPaymentRequested'],
      ...['FulfilmentPaymentSettled', 'FulfilmentDeliveryRequested'],
    ]);
    expect(streams[`delivery-${deliveryIdOf(orderId)}`]).toEqual(['DeliveryScheduled']);
  }
});

test('deadlines that fell due while everything was down are found by those who come then, each once, though they die over it', async () => {
  const numbers = Array.from({ length: 60 }, (_, index) => index);
  const [unclaimed, unpaid] = [numbers.map((number) => `c${number}`), numbers.map((number) => `p${number}`)];
  const first = start();
  for (const orderId of unclaimed) await place(orderId);
  for (const orderId of unpaid) await place(orderId, 'tok_hang');
  await untilThereAre(unclaimed.length, 'DeliveryScheduled');
  await untilThereAre(unclaimed.length + unpaid.length, 'FulfilmentPaymentRequested');
  await kill(first);

  const both = [start(timeLimits.courier), start(timeLimits.courier)];
  await untilThereAre(20, 'FulfilmentDeadlineMissed');
  await Promise.all(both.map(kill));
  start(timeLimits.courier);
  await untilThereAre(unclaimed.length, 'DeliveryCancelled');
  await untilThereAre(unclaimed.length + unpaid.length, 'PaymentVoided');

  const streams = await typesByStream();
  for (const orderId of unclaimed) {
    expect(streams[`order-${orderId}`]).toEqual(['OrderPlaced', 'OrderConfirmed', 'OrderCancelled']);
    expect(streams[`delivery-${deliveryIdOf(orderId)}`]).toEqual(['DeliveryScheduled', 'DeliveryCancelled']);
    expect(streams[`payment-${orderId}`]).toEqual(['PaymentAuthorised', 'PaymentVoided']);
  }
  for (const orderId of unpaid) {
    expect(streams[`order-${orderId}`]).toEqual(['OrderPlaced', 'OrderRejected']);
    expect(streams[`payment-${orderId}`]).toEqual(['PaymentVoided']);
  }
  const missed = (await wholeLog(store))
    .filter(({ type }) => type === 'FulfilmentDeadlineMissed')
    .map(({ partitionKey }) => partitionKey);
  expect(missed.toSorted()).toEqual([...unclaimed, ...unpaid].toSorted());
});
