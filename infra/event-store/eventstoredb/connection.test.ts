import { EventStoreDBClient } from '@eventstore/db-client';
import { expect, test } from '@jest/globals';
import { connectionTo } from './connection.js';

test('takes user and password from the connection string, for every append', () => {
  const { credentials } = connectionTo('esdb://anna:p%40ss%3Aword@one:2113,two:2113?nodePreference=leader');
  expect(credentials).toEqual({ username: 'anna', password: 'p@ss:word' });
});

test('has credentials without TLS too, where there are no users', () => {
  expect(connectionTo('esdb://127.0.0.1:2113?tls=false').credentials).toEqual(expect.any(Object));
});

test.each(['kurrentdb://a:b@one:2113', 'kurrentdb+discover://one:2113?tls=false', 'esdb+discover://one?tls=false'])(
  'takes the newer name too: %s',
  (url) => {
    expect(connectionTo(url).client).toBeInstanceOf(EventStoreDBClient);
  },
);

test.each([
  ['no user where there is TLS', 'esdb://127.0.0.1:2113'],
  ['another protocol', 'http://a:b@127.0.0.1:2113'],
  ['no host', 'esdb://a:b@?tls=false'],
  ['wrong answers instead of refusals', 'esdb://127.0.0.1:2113?tls=false&throwOnAppendFailure=false'],
])('refuses a connection string with %s', (_, text) => {
  expect(() => connectionTo(text)).toThrow(expect.objectContaining({ kind: 'bad-configuration' }));
});
