import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { systemClock, systemRandomness, systemTimer } from '../clock/system.js';
import { readConfig, type Environment } from '../process/config.js';
import { measureGateway } from '../telemetry/payment-gateway-metrics.js';
import { openGateway, type OpenedGateway } from './open-gateway.js';
import { scriptedServer } from './testing/scripted-server.js';
import { webhookSecretOf } from './webhook-secret.js';
import { isWebhookSignature, webhookSignatureHeader } from '../http/webhook-signature.js';

let parent: string;
let dataFolder: string;
let gateway: OpenedGateway | undefined;
const faults: string[] = [];
const metrics = new Registry();
const watch = measureGateway(metrics);

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'waybill-gateway-'));
  dataFolder = join(parent, 'data');
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  rmSync(parent, { recursive: true, force: true });
});

const configured = (environment: Environment = {}) => readConfig({ WAYBILL_DATA: dataFolder, ...environment });
async function open(environment: Environment = {}): Promise<OpenedGateway> {
  const report = ({ message }: Error, of: string): void => void faults.push(`${of}: ${message}`);
  const dependencies = { clock: systemClock, timer: systemTimer, randomness: systemRandomness, report, watch };
  gateway = await openGateway(configured(environment), dependencies);
  return gateway;
}
const payment = (token: string, reference = 'order-1') => ({ reference, amount: 12_500, currency: 'KRW', token });

describe('without an address', () => {
  test('there is a simulator, which makes its folder and remembers', async () => {
    const first = await open();
    expect(await first.authorise(payment('tok_approve'))).toMatchObject({ status: 'authorised' });
    await first.close();
    expect(await (await open()).capture('order-1')).toMatchObject({ status: 'captured' });
  });

  test('its webhooks go where it is told, signed with the secret that the write API has', async () => {
    const shop = await scriptedServer((_, response) => void response.writeHead(204).end());
    const opened = await open();
    await opened.authorise(payment('tok_double'));
    opened.notifyAt(`${shop.url}/v1/payments/webhook`);
    await until(() => shop.seen.length === 2);
    for (const { path, body, headers } of shop.seen) {
      expect(path).toBe('/v1/payments/webhook');
      const secret = webhookSecretOf(configured(), systemRandomness);
      expect(isWebhookSignature(secret, body, headers[webhookSignatureHeader] as string)).toBe(true);
    }
    await shop.close();
  });

  test('closing hangs up on what is never answered', async () => {
    const opened = await open();
    const asking = opened.authorise(payment('tok_hang')).catch((error: unknown) => error);
    const looked = () => fetch(`${opened.url}/v1/payments/order-1`);
    await until(async () => (await looked()).status === 202);
    await opened.close();
    gateway = undefined;
    expect(await asking).toBeInstanceOf(Unavailable);
  });
});

test('with an address that is who is asked, and no file is made', async () => {
  const other = await scriptedServer((_, response) => {
    response.end(JSON.stringify({ reference: 'order-1', status: 'declined', reason: 'No money.' }));
  });
  const url = other.url.replace('//', '//shop:pay-key@');
  const opened = await open({ WAYBILL_PAYMENT_URL: url, WAYBILL_WEBHOOK_SECRET: 'shared' });
  expect(await opened.authorise(payment('tok_approve'))).toMatchObject({ status: 'declined', reason: 'No money.' });
  expect(opened.url).not.toContain('pay-key');
  opened.notifyAt('http://127.0.0.1:1/');
  expect(existsSync(dataFolder)).toBe(false);
  await other.close();
});

test('that it keeps failing is said once, without its password', async () => {
  faults.length = 0;
  const other = await scriptedServer((_, response) => void response.writeHead(500).end());
  const url = other.url.replace('//', '//shop:pay-key@');
  const opened = await open({ WAYBILL_PAYMENT_URL: url, WAYBILL_WEBHOOK_SECRET: 'shared' });
  const ask = (nth: number) => opened.authorise(payment('tok_approve', `order-${nth}`)).catch(() => {});
  const asking = Array.from({ length: 30 }, (_, nth) => ask(nth));
  await until(() => faults.length > 0);
  await opened.close();
  await Promise.all(asking);
  expect(faults).toEqual([
    expect.stringMatching(/^payment gateway: http:.* keeps failing; orders are placed all the same/),
  ]);
  expect(faults.join()).not.toContain('pay-key');
  await other.close();
});

test('what is asked is counted, and the state of the breaker told', async () => {
  metrics.resetMetrics();
  const opened = await open();
  for (let time = 0; time < 2; time += 1) await opened.authorise(payment('tok_approve'));
  await opened.capture('unknown').catch(() => {});
  const text = await metrics.metrics();
  for (const line of [
    'waybill_payment_gateway_calls_total{step="authorise",outcome="authorised"} 2',
    'waybill_payment_gateway_calls_total{step="capture",outcome="refused"} 1',
    'waybill_payment_gateway_call_duration_seconds_count{step="authorise"} 2',
    'waybill_payment_gateway_breaker_state{state="closed"} 1',
    'waybill_payment_gateway_breaker_state{state="open"} 0',
  ]) {
    expect(text).toContain(line);
  }
});
