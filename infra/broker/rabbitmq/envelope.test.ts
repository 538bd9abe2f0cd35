import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decode, encode, Undecodable } from './envelope.js';
import { routingKeyOf } from './names.js';
import { batch } from './testing/traffic.js';

const of = batch(7, 3);
const [event] = of.events;

function delivered(body: unknown): { readonly content: Buffer } {
  return { content: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)) };
}

describe('envelope of a batch', () => {
  test('what is decoded is what was encoded', () => {
    const { body, options, routingKey } = encode(of);
    expect(decode(delivered(body), 3)).toEqual(of);
    expect(routingKey).toBe('3.order');
    expect(options).toMatchObject({ persistent: true, contentType: 'application/json' });
  });

  test('its routing key has each category once, and no more than a key may be long', () => {
    const streams = ['payment-1', 'order-1', 'payment-2', 'delivery-1'].map((stream) => ({ stream }));
    expect(routingKeyOf(3, streams)).toBe('3.delivery.order.payment');
    const long = [...streams, { stream: `${'x'.repeat(300)}-1` }];
    expect(routingKeyOf(3, long)).toBe('3.delivery.order.payment');
  });

  test.each<[string, unknown, number]>([
    ['The body is not JSON.', Buffer.from([0xff]), 3],
    ['The body is not an object.', null, 3],
    ['"log" is not text.', { ...of, log: undefined }, 3],
    ['"partition" is not 4.', of, 4],
    ['"previous" is not whole numbers by category.', { ...of, previous: undefined }, 3],
    ['"previous" is not whole numbers by category.', { ...of, previous: { since: 1 } }, 3],
    ['"previous" is not whole numbers by category.', { ...of, previous: { since: 1, positions: { order: '6' } } }, 3],
    ['"previous" is not whole numbers by category.', { ...of, previous: { since: 0.5, positions: {} } }, 3],
    ['"through" is not a whole number.', { ...of, through: '7' }, 3],
    ['"events" is not a list.', { ...of, events: event }, 3],
    ['An event is not an object.', { ...of, events: [[event]] }, 3],
    ['The field "type" of an event is not text.', { ...of, events: [event, { ...event, type: 1 }] }, 3],
    ['The field "position" of an event is not a whole number.', { ...of, events: [{ ...event, position: 1.5 }] }, 3],
    ['The field "data" of an event is not an object.', { ...of, events: [{ ...event, data: [] }] }, 3],
  ])('%s', (reason, body, partition) => {
    expect(() => decode(delivered(body), partition)).toThrow(new Undecodable(reason));
  });

  test('whatever arrives is decoded or undecodable, nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          fc.json().map((text) => Buffer.from(text)),
          fc.record(
            { ...Object.fromEntries(Object.keys(of).map((field) => [field, fc.jsonValue()])) },
            { requiredKeys: [] },
          ),
        ),
        (body) => {
          expect(() => decode(delivered(body), 3)).toThrow(Undecodable);
        },
      ),
    );
  });
});
