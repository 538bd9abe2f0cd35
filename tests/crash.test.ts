import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import { runCommandLine } from './support/command-line.js';
import { readWholeLog } from './support/log.js';
import { startServer } from './support/server.js';
import { totalQueue } from './support/total-queue.js';
import { type Answer, post } from './support/write-client.js';

const rounds = Number(process.env['WAYBILL_TEST_CRASH_ROUNDS'] ?? 8);
const clientsAtOnce = 12;
const caller = 'shop';

/** A command that was sent; `answer` is missing while nobody knows what became of it. */
interface Attempt {
  readonly path: string;
  readonly body: unknown;
  answer?: Answer;
}

let dataFolder: string;
let token: string;

beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'waybill-crash-'));
  const issued = await runCommandLine(dataFolder, [
    'token',
    '--role',
    'operator',
    '--role',
    'merchant',
    '--sub',
    caller,
  ]);
  token = issued.stdout.trim();
});

afterAll(async () => {
  await rm(dataFolder, { recursive: true, force: true });
});

test('killed at any moment under load: nothing acknowledged is lost, nothing doubled, the read models equal the log', async () => {
  const attempts = new Map<string, Attempt>();
  const recovered = new Set<string>();
  await setTheTable();

  for (let round = 0; round < rounds; round += 1) {
    const server = await startServer(dataFolder);
    await repeatUnanswered(server.writeUrl, attempts);
    const clients = Array.from({ length: clientsAtOnce }, async () => {
      while (await placeAndPerhapsCancel(server.writeUrl, attempts));
    });
    // So many answers, then so many turns of the event loop: it falls on any stage of the path.
    const enough = answered(attempts) + 20 + round * 37;
    while (answered(attempts) < enough) await setImmediate();
    for (let turn = 0; turn < round * 5; turn += 1) await setImmediate();
    server.process.kill('SIGKILL');
    await Promise.all(clients);
    await server.stop('SIGKILL');

    const found = await requestsInLog();
    const { lost, doubled, unexpected, ...rest } = totalQueue(ids(attempts), ids(attempts, true), found);
    expect({ lost, doubled, unexpected }).toEqual({ lost: [], doubled: [], unexpected: [] });
    for (const id of rest.recovered) recovered.add(id);
  }

  const server = await startServer(dataFolder);
  await repeatUnanswered(server.writeUrl, attempts);
  for (const [key, { path, body, answer }] of [...attempts].filter((_, index) => index % 7 === 0)) {
    const again = await post(server.writeUrl, path, token, key, body);
    expect([again.status, again.text]).toEqual([answer?.status, answer?.text]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  }
  expect(await server.stop('SIGINT')).toBe(0);

  const verified = await runCommandLine(dataFolder, ['audit', 'verify', '--json']);
  expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, differences: [] });

  const result = totalQueue(ids(attempts), ids(attempts), await requestsInLog());
  expect(result).toMatchObject({ lost: [], doubled: [], unexpected: [] });
  expect(result.attempted).toBeGreaterThan(rounds * 20);
  process.stdout.write(
    `total queue after ${rounds} kills: ${result.attempted} commands, 0 lost, 0 doubled, 0 unexpected, ${recovered.size} recovered\n`,
  );
}, 240_000);

async function setTheTable(): Promise<void> {
  const server = await startServer(dataFolder);
  const product = { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  const customer = { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address };
  expect(await post(server.writeUrl, '/v1/products', token, 'p', product)).toMatchObject({ status: 201 });
  expect(await post(server.writeUrl, '/v1/customers', token, 'c', customer)).toMatchObject({ status: 201 });
  await server.stop('SIGKILL');
}

/** False once the connection is gone. */
async function placeAndPerhapsCancel(url: string, attempts: Map<string, Attempt>): Promise<boolean> {
  const lines = [{ productId: 'tea', quantity: 1 }];
  const placed = await send(url, attempts, randomUUID(), {
    path: '/v1/orders',
    body: { customerId: 'ann', lines, payment: { token: 'tok_approve' } },
  });
  if (placed === undefined) return false;
  if (attempts.size % 4 !== 0) return true;
  const { orderId } = JSON.parse(placed.text) as { orderId: string };
  const cancelled = await send(url, attempts, randomUUID(), {
    path: `/v1/orders/${orderId}/cancellation`,
    body: { reason: 'changed my mind' },
  });
  return cancelled !== undefined;
}

async function send(
  url: string,
  attempts: Map<string, Attempt>,
  key: string,
  attempt: Attempt,
): Promise<Answer | undefined> {
  attempts.set(key, attempt);
  try {
    attempt.answer = await post(url, attempt.path, token, key, attempt.body);
  } catch {
    return undefined;
  }
  expect([200, 201]).toContain(attempt.answer.status);
  return attempt.answer;
}

async function repeatUnanswered(url: string, attempts: Map<string, Attempt>): Promise<void> {
  for (const [key, attempt] of attempts) {
    if (attempt.answer === undefined) expect(await send(url, attempts, key, attempt)).toBeDefined();
  }
}

function answered(attempts: Map<string, Attempt>): number {
  return ids(attempts, true).size;
}

/** Ids of the requests, as events name them: all, or only those that were answered. */
function ids(attempts: Map<string, Attempt>, onlyAnswered = false): Set<string> {
  const entries = [...attempts].filter(([, { answer }]) => !onlyAnswered || answer !== undefined);
  return new Set(entries.map(([key, { path }]) => requestIdOf(caller, 'POST', path, key)));
}

/** Ids of the requests about orders whose events are in the log, one for every first event of a request. */
async function requestsInLog(): Promise<string[]> {
  const events = await readWholeLog(dataFolder);
  return events.flatMap(({ type, request }) =>
    request !== undefined && (type === 'OrderPlaced' || type === 'OrderCancelled') ? [request.id] : [],
  );
}
