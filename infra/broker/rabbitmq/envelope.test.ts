import { describe, expect, test } from '@jest/globals';
import type { Message } from '@waybill/shared-kernel/ports/broker.js';
import type { ConsumeMessage } from 'amqplib';
import fc from 'fast-check';
import { decode, encode, Undecodable } from './envelope.js';
import { message } from './testing/traffic.js';

type Delivered = Pick<ConsumeMessage, 'content' | 'properties'>;

/** What arrives of a letter, changed on its way. */
function delivered(body: unknown, headers: unknown, of: Message = message(7, 3)): Delivered {
  const { options } = encode(of);
  const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return { content, properties: { ...options, headers } as ConsumeMessage['properties'] };
}

const { event } = message(7, 3);
const headers = { partition: 3, log: '1:first', previous: { order: 6, product: 2 ** 50 } };

function headersOf({ partition, log, previous }: Message): object {
  return { partition, log, previous };
}

describe('envelope of a message', () => {
  test('what is decoded is what was encoded', () => {
    const { body, options, routingKey } = encode(message(7, 3));
    expect(decode(delivered(body, options.headers), 3)).toEqual(message(7, 3));
    expect(routingKey).toBe('3.order.OrderPlaced');
    expect(options).toMatchObject({ persistent: true, messageId: 'event-7', type: 'OrderPlaced' });
  });

  test('the trace goes along where tools look for it', () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const of = message(7, 3);
    expect(encode({ ...of, event: { ...of.event, traceparent } }).options.headers).toEqual({
      ...headersOf(of),
      traceparent,
    });
    expect(encode(of).options.headers).toEqual(headersOf(of));
  });

  test.each<[string, unknown, unknown, number]>([
    ['The header "previous" is not whole numbers by category.', event, { ...headers, previous: undefined }, 3],
    ['The header "previous" is not whole numbers by category.', event, { ...headers, previous: 6 }, 3],
    ['The header "previous" is not whole numbers by category.', event, { ...headers, previous: { order: '6' } }, 3],
    ['The header "previous" is not whole numbers by category.', event, undefined, 3],
    ['The header "log" is not text.', event, { ...headers, log: undefined }, 3],
    ['The header "partition" is not 4.', event, headers, 4],
    ['The body is not JSON.', Buffer.from([0xff]), headers, 3],
    ['The body is not an object.', null, headers, 3],
    ['The body is not an object.', [event], headers, 3],
    ['The field "type" is not text.', { ...event, type: 1 }, headers, 3],
    ['The field "position" is not a whole number.', { ...event, position: 1.5 }, headers, 3],
    ['The field "data" is not an object.', { ...event, data: [] }, headers, 3],
  ])('%s', (reason, body, of, partition) => {
    expect(() => decode(delivered(body, of), partition)).toThrow(new Undecodable(reason));
  });

  test('whatever arrives is decoded or undecodable, nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          fc.json().map((text) => Buffer.from(text)),
          fc.record(
            { ...Object.fromEntries(Object.keys(event).map((field) => [field, fc.jsonValue()])) },
            { requiredKeys: [] },
          ),
        ),
        (body) => {
          expect(() => decode(delivered(body, headers), 3)).toThrow(Undecodable);
        },
      ),
    );
  });
});
