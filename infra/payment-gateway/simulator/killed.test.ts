import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { GatewayPayment, PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { systemRandomness } from '../../clock/system.js';
import { openHttpGateway } from '../http-gateway.js';
import { scriptedServer } from '../testing/scripted-server.js';
import type { Entry, Webhook } from './ledger.js';

const program = fileURLToPath(new URL('./main.js', import.meta.url));

let dataFolder: string;
let child: ChildProcess | undefined;
beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'waybill-simulator-killed-'));
});
afterEach(async () => {
  await kill();
  rmSync(dataFolder, { recursive: true, force: true });
});

/** A simulator in a process of its own; answers with its address. */
async function start(port: string, environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const started = spawn(process.execPath, [program], {
    env: { PATH: process.env['PATH'], WAYBILL_DATA: dataFolder, WAYBILL_SIMULATOR_PORT: port, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child = started;
  let said = '';
  for await (const chunk of started.stdout) {
    said += String(chunk);
    if (said.includes('\n')) break;
  }
  return /http:\/\/[\d.:]+/.exec(said)![0];
}

async function kill(): Promise<void> {
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const openGateway = (url: string): PaymentGateway =>
  openHttpGateway({
    url,
    randomness: systemRandomness,
    tuning: { retries: 0, concurrent: 8, waiting: 1_000, breakFromPayers: 10_000 },
  });

test('killed in the middle of its answers, it took everything that it said it took, and nothing twice', async () => {
  const url = await start('0');
  const gateway = openGateway(url);
  const references = Array.from({ length: 100 }, (_, index) => `order-${index}`);
  const pay = async (reference: string): Promise<GatewayPayment> => {
    await gateway.authorise({ reference, amount: 100, currency: 'KRW', token: 'tok_approve' });
    return gateway.capture(reference);
  };

  const said = new Set<string>();
  const faults: unknown[] = [];
  const paying = references.map((reference) =>
    pay(reference).then(
      () => said.add(reference),
      (fault: unknown) => faults.push(fault),
    ),
  );
  await until(() => said.size >= 20);
  await kill();
  await Promise.all(paying);
  expect(faults.length).toBeGreaterThan(0);
  for (const fault of faults) expect(fault).toBeInstanceOf(Unavailable);

  expect(await start(new URL(url).port)).toBe(url);
  const ledger = async (): Promise<readonly Entry[]> => {
    const response = await fetch(`${url}/v1/ledger`);
    return ((await response.json()) as { entries: readonly Entry[] }).entries;
  };
  const taken = (await ledger()).filter(({ kind }) => kind === 'capture').map(({ reference }) => reference);
  expect([...said].filter((reference) => !taken.includes(reference))).toEqual([]);

  for (const { status } of await Promise.all(references.map(pay))) expect(status).toBe('captured');
  const booked = (await ledger()).map(({ reference, kind }) => `${reference} ${kind}`);
  expect(booked.toSorted()).toEqual(
    references.flatMap((reference) => [`${reference} authorisation`, `${reference} capture`]).toSorted(),
  );
  await gateway.close();
});

test('killed before a decision was made, it makes it, and tells of it, when it is back', async () => {
  const shop = await scriptedServer((_, response) => void response.writeHead(204).end());
  const gateway = openGateway(await start('0', { WAYBILL_WEBHOOK_URL: shop.url }));
  const slow = { reference: 'order-1', amount: 100, currency: 'KRW', token: 'tok_slow' };
  expect(await gateway.authorise(slow)).toMatchObject({ status: 'pending' });
  await kill();
  await start('0', { WAYBILL_WEBHOOK_URL: shop.url });
  await until(() => shop.seen.length > 0);
  expect(JSON.parse(shop.seen[0]!.body) as Webhook).toMatchObject({ reference: 'order-1', status: 'authorised' });
  await gateway.close();
  await shop.close();
});
