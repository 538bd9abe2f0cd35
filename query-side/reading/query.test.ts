import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { day, id, limit, oneOf, readQuery, searchText, time } from './query.js';

const takes = { id, limit, status: oneOf(['placed', 'confirmed']), from: time, on: day, q: searchText };

function faultsOf(search: string) {
  try {
    readQuery(search, takes);
  } catch (error) {
    if (error instanceof InvalidInput) return error.faults;
    throw error;
  }
  return [];
}

test('reads what is given', () => {
  expect(readQuery('', takes)).toEqual({});
  expect(readQuery('id=a-1&limit=100&status=placed&on=2024-02-29&q=blue%20lamp+2', takes)).toEqual({
    id: 'a-1',
    limit: 100,
    status: 'placed',
    on: '2024-02-29',
    q: 'blue lamp 2',
  });
});

test('a search is as long as its document says, in characters', () => {
  const longest = '𝒜'.repeat(100);
  expect(readQuery(`q=${encodeURIComponent(longest)}`, takes)).toEqual({ q: longest });
  expect(faultsOf(`q=${encodeURIComponent(longest)}a`)).toMatchObject([{ parameter: 'q' }]);
});

test('times become UTC with milliseconds', () => {
  expect(readQuery('from=2026-01-01T09:30:00%2B09:00', takes).from).toBe('2026-01-01T00:30:00.000Z');
});

describe('refuses, by name,', () => {
  test.each([
    ['unknown=1', 'unknown'],
    ['__proto__=1', '__proto__'],
    ['id=a&id=a', 'id'],
    ['id=', 'id'],
    ['id=a%20b', 'id'],
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1e1', 'limit'],
    ['limit=1.0', 'limit'],
    ['limit=', 'limit'],
    ['status=shipped', 'status'],
    ['status=PLACED', 'status'],
    ['from=2026-01-01', 'from'],
    ['from=2026-01-01T00:00:00', 'from'],
    ['from=2026-02-30T00:00:00Z', 'from'],
    ['from=2026-01-01T09:30:00+09:00', 'from'],
    ['from=1767225600', 'from'],
    ['on=2025-02-29', 'on'],
    ['on=2026-1-1', 'on'],
    ['q=', 'q'],
    ['q=%20%20', 'q'],
    [`q=${'x'.repeat(101)}`, 'q'],
  ])('%s', (search, parameter) => {
    expect(faultsOf(search)).toMatchObject([{ parameter, pointer: `/${parameter}` }]);
  });

  test('all that is wrong at once', () => {
    expect(faultsOf('limit=0&who=me&id=a&id=b').map(({ parameter }) => parameter)).toEqual(['limit', 'who', 'id']);
  });
});

test('whatever comes is read or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webQueryParameters()), (search) => {
      for (const { parameter, pointer } of faultsOf(search)) {
        expect(pointer).toBe(`/${parameter!.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      }
    }),
  );
});

test.each([
  ['id[$ne]=a', 'id[$ne]'],
  ['id[]=a', 'id[]'],
  ['$where=1', '$where'],
  ['__proto__=a', '__proto__'],
  ['constructor=a', 'constructor'],
  ['id=%7B%22%24ne%22%3Anull%7D', 'id'],
  ['status=%24ne', 'status'],
])('%s never becomes an operator of the store', (search, parameter) => {
  expect(faultsOf(search)).toMatchObject([{ parameter }]);
});

test('whatever is searched for stays text', () => {
  expect(readQuery('q=%7B%22%24gt%22%3A%22%22%7D', takes)).toEqual({ q: '{"$gt":""}' });
});
