import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isWebhookSignature, webhookSignature } from './webhook-signature.js';

test('a signature is the HMAC-SHA256 of the bytes in hexadecimal', () => {
  // The second case of RFC 4231.
  expect(webhookSignature('Jefe', 'what do ya want for nothing?')).toBe(
    'sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('of a body and a secret there is one signature, and nothing else is one', () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), fc.string(), (secret, body, other) => {
      const signature = webhookSignature(secret, body);
      expect(isWebhookSignature(secret, body, signature)).toBe(true);
      expect(isWebhookSignature(`${secret}!`, body, signature)).toBe(false);
      expect(isWebhookSignature(secret, Buffer.concat([body, Buffer.from([0])]), signature)).toBe(false);
      expect(isWebhookSignature(secret, body, other)).toBe(other === signature);
    }),
  );
});

test('the bytes count, not what they mean', () => {
  const signature = webhookSignature('secret', '{"a":1}');
  expect(isWebhookSignature('secret', '{ "a": 1 }', signature)).toBe(false);
});

test.each([
  ['none', undefined],
  ['an empty one', ''],
  ['one without the name of the algorithm', createHmac('sha256', 'secret').update('body').digest('hex')],
  ['one of another algorithm', `sha1=${createHmac('sha1', 'secret').update('body').digest('hex')}`],
  ['a beginning', webhookSignature('secret', 'body').slice(0, -1)],
  ['more than one', `${webhookSignature('secret', 'body')},${webhookSignature('secret', 'body')}`],
  ['one in capitals', webhookSignature('secret', 'body').toUpperCase()],
  ['one that is no ASCII', `sha256=${'é'.repeat(64)}`],
])('no signature: %s', (_, header) => {
  expect(isWebhookSignature('secret', 'body', header)).toBe(false);
});
