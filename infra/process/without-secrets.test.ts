import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import pino from 'pino';
import { seal } from '@waybill/shared-kernel/personal-data.js';
import { systemRandomness } from '../clock/system.js';
import { logOptions } from './process-dependencies.js';
import { webhookSignature } from '../http/webhook-signature.js';
import { withoutSecrets } from './without-secrets.js';

const token = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(40)}.${'c'.repeat(86)}`;
const sealed = seal('ann-1', randomBytes(32), { street: '1 Harbour Road' }, systemRandomness);
const key = randomBytes(32).toString('base64');

test('nothing secret gets into a line of the log, by whatever way', () => {
  const lines: string[] = [];
  const log = pino({ ...logOptions, base: null }, { write: (line) => lines.push(line) });
  const cause = Object.assign(new Error(`E11000 duplicate key: { address: "${sealed}" }`), {
    writeErrors: [{ op: { address: sealed, key } }],
    config: { headers: { authorization: `Bearer ${token}` } },
  });
  const error = new Error('connect to amqp://waybill:hunter2@rabbitmq:5672 failed', { cause });
  log.error({ err: error, deeper: { list: [token, sealed, key] } }, `a request failed: ${token} ${sealed}`);
  log.child({ of: 'mongodb://waybill:hunter2@mongodb/waybill' }).warn({ error: cause }, cause.message);
  log.info({ authorization: 'Bearer opaque-token-of-somebody' }, `master key ${key}`);
  const signature = webhookSignature('whispered', '{}');
  log.info(
    { config: { webhookSecret: 'whispered' }, headers: { 'x-waybill-signature': signature } },
    `WAYBILL_WEBHOOK_SECRET=whispered {"webhookSecret":"whispered"} from https://shop:pay-key@pay.example`,
  );
  expect(lines).toHaveLength(4);
  const all = lines.join('');
  for (const secret of [
    token,
    token.slice(0, 40),
    sealed,
    key,
    'hunter2',
    'opaque-token',
    'whispered',
    'pay-key',
    signature,
  ]) {
    expect(all).not.toContain(secret);
  }
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number) });
  expect(all).toContain('amqp://waybill:…@rabbitmq:5672');
  expect(all).toContain('E11000 duplicate key');
});

test.each([
  ['{"msg":"answered","requestId":"0190f3c1-7a52-7d41-bb2f-0a4c3a1d9a10","route":"/v1/orders/:orderId","status":200}'],
  ['{"traceId":"0af7651916cd43dd8448eb211c80319c","stream":"order-01J9ZC3X","of":"http://127.0.0.1:4000/v1"}'],
  ['{"msg":"Waiting for: broker, read store.","at":"2026-01-01T10:00:00.000Z"}'],
])('what is no secret stays: %s', (line) => {
  expect(withoutSecrets(line)).toBe(line);
});
