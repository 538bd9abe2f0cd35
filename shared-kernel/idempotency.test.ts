import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { aggregateIdOf, eventIdOf, payloadHash, requestIdOf } from './idempotency.js';
import { idPattern } from './stream.js';

const request = requestIdOf('ann', 'POST', '/v1/orders', 'key-1');
const uuid = (version: number) =>
  new RegExp(`^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`);

describe('ids from a request', () => {
  test('are a storage format: a repeat after an upgrade must meet its own events', () => {
    expect({
      request,
      event: eventIdOf(request, 0),
      eventOfPayload: eventIdOf(request, 0, 'hash'),
      aggregate: aggregateIdOf(request),
    }).toEqual({
      request: '5b40be25-29ab-5fd7-bff1-c869718257b0',
      event: '3483d56c-1030-5108-acd0-14d67adb8e2d',
      eventOfPayload: '20f64717-2640-5774-897a-9e3f4baed79f',
      aggregate: '8ff95ec2-2abb-7c8e-bc4e-c54886483eb7',
    });
  });

  test('caller, method, path and key each make another request', () => {
    const part = fc.string();
    const call = fc.tuple(part, part, part, part);
    fc.assert(
      fc.property(call, call, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(requestIdOf(...one) === requestIdOf(...other)).toBe(same);
      }),
    );
    expect(requestIdOf('a', 'b', 'c', 'd')).not.toBe(requestIdOf('a', 'bc', '', 'd'));
  });

  test('have the layout of the versions they claim', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat({ max: 100 }), (key, index) => {
        const id = requestIdOf('ann', 'POST', '/v1/orders', key);
        expect(id).toMatch(uuid(5));
        expect(eventIdOf(id, index)).toMatch(uuid(5));
        expect(aggregateIdOf(id)).toMatch(uuid(7));
        expect(aggregateIdOf(id)).toMatch(idPattern);
      }),
    );
  });

  test('events of one request differ by index and by payload', () => {
    const ids = [eventIdOf(request, 0), eventIdOf(request, 1), eventIdOf(request, 0, 'x'), eventIdOf(request, 1, 'x')];
    expect(new Set(ids).size).toBe(4);
  });
});

describe('the hash of a payload', () => {
  const key = new Uint8Array(32).fill(7);

  test('is a storage format', () => {
    expect(payloadHash(key, { b: 1, a: [true, null, 'ü'] })).toBe('ws75VHb5F38gr2criFNTBxMw-F7aWY8aYFZIoezD7G4');
  });

  test('is equal for what is equal as JSON, in whatever order its fields came', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (payload) => {
        const reversed = Object.fromEntries(Object.entries(payload).reverse());
        expect(payloadHash(key, reversed)).toBe(payloadHash(key, payload));
      }),
    );
  });

  test('differs by value and by key', () => {
    const hashes = [
      payloadHash(key, { a: 1 }),
      payloadHash(key, { a: '1' }),
      payloadHash(key, { a: 1, b: null }),
      payloadHash(key, undefined),
      payloadHash(new Uint8Array(32).fill(8), { a: 1 }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
