import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  aggregateIdOf,
  eventIdOf,
  formerAggregateIdOf,
  formerRequestIdOf,
  payloadHash,
  requestIdOf,
} from './idempotency.js';
import { idPattern } from './stream.js';

const request = requestIdOf('ann', 'customer', 'POST', '/v1/orders', 'key-1');
const former = formerRequestIdOf('ann', 'POST', '/v1/orders', 'key-1');
const serviceKey = new Uint8Array(32).fill(9);
const uuid = (version: number) =>
  new RegExp(`^[0-9a-f]{8}-[0-9a-f]{4}-${version}[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`);

describe('ids from a request', () => {
  test('are a storage format: a repeat after an upgrade must meet its own events', () => {
    expect({
      request,
      event: eventIdOf(request, 0),
      aggregate: aggregateIdOf(serviceKey, request),
      formerRequest: former,
      formerAggregate: formerAggregateIdOf(former),
    }).toEqual({
      request: '00e547aa-7ad5-5d14-819f-138622584977',
      event: '9621bfad-500c-55f5-bf20-2113c0d920f0',
      aggregate: 'bee858d5-b6a5-7e4e-8682-4bf1adc039bf',
      formerRequest: '5b40be25-29ab-5fd7-bff1-c869718257b0',
      formerAggregate: '8ff95ec2-2abb-7c8e-bc4e-c54886483eb7',
    });
  });

  test('caller, role, method, path and key each make another request', () => {
    const part = fc.string();
    const call = fc.tuple(part, part, part, part, part);
    fc.assert(
      fc.property(call, call, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(requestIdOf(...one) === requestIdOf(...other)).toBe(same);
      }),
    );
    expect(requestIdOf('a', 'b', 'c', 'd', 'e')).not.toBe(requestIdOf('a', 'b', 'cd', '', 'e'));
  });

  test('have the layout of the versions they claim', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat({ max: 100 }), (key, index) => {
        const id = requestIdOf('ann', 'customer', 'POST', '/v1/orders', key);
        expect(id).toMatch(uuid(5));
        expect(eventIdOf(id, index)).toMatch(uuid(5));
        for (const made of [aggregateIdOf(serviceKey, id), formerAggregateIdOf(id)]) {
          expect(made).toMatch(uuid(7));
          expect(made).toMatch(idPattern);
        }
      }),
    );
  });

  test('that of a new aggregate depends on the service key, and so is nobody else’s to foresee', () => {
    const ids = [8, 9].map((byte) => aggregateIdOf(new Uint8Array(32).fill(byte), request));
    expect(new Set([...ids, formerAggregateIdOf(request)]).size).toBe(3);
  });

  test('events of one cause differ by index', () => {
    expect(eventIdOf(request, 0)).not.toBe(eventIdOf(request, 1));
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
