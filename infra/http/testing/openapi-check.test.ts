import { describe, expect, test } from '@jest/globals';
import {
  answer,
  commonParameters,
  differences,
  id,
  object,
  pathParameters,
  problems,
  reference,
  securitySchemes,
  sharedSchemas,
  type OpenApiDocument,
} from '../pages/openapi.js';
import { json, route } from '../route.js';
import { exchangeCheck, type Exchange } from './openapi-check.js';

const document: OpenApiDocument = {
  openapi: '3.1.0',
  info: { title: 'Things', version: '1' },
  paths: {
    '/v1/things/{thingId}': {
      post: {
        operationId: 'nameThing',
        summary: 'Name it',
        parameters: [
          ...commonParameters,
          ...pathParameters('/v1/things/{thingId}'),
          { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1 } },
          { name: 'Idempotency-Key', in: 'header', required: true, schema: { type: 'string', minLength: 1 } },
        ],
        requestBody: {
          required: true,
          content: { 'application/json': { schema: object({ price: reference('Money') }) } },
        },
        responses: {
          200: answer('Done', object({ thingId: id }), { ETag: { required: true, schema: { type: 'string' } } }),
          204: answer('Nothing'),
          ...problems('invalid-input', 'idempotency-key-missing', 'unavailable'),
        },
      },
    },
  },
  components: { schemas: sharedSchemas, securitySchemes },
};
const check = exchangeCheck(document);

const good: Exchange = {
  method: 'POST',
  path: '/v1/things/t1?limit=5',
  requestHeaders: new Headers({ 'Idempotency-Key': 'k1' }),
  requestBody: { price: { amount: 1, currency: 'KRW' } },
  status: 200,
  responseHeaders: new Headers({ 'Content-Type': 'application/json; charset=utf-8', ETag: '"1"', 'X-Request-Id': 'r' }),
  responseBody: { thingId: 't1' },
};
const problem = { type: 'urn:waybill:problem:invalid-input', title: 'No', status: 400, detail: 'No.' };
const problemHeaders = new Headers({ 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r' });

test('an exchange as described has no fault', () => {
  expect(check(good)).toEqual([]);
});

describe('finds', () => {
  test.each<[string, Partial<Exchange>, string]>([
    ['a path that is not there', { path: '/v1/nothing' }, 'is not described'],
    ['a method that is not there', { method: 'GET' }, 'is not described'],
    ['a status that is not there', { status: 201 }, 'status 201'],
    ['a body of another shape', { responseBody: { thingId: 't1', more: 1 } }, 'additional'],
    ['a body that is missing', { responseBody: undefined }, 'response body'],
    [
      'a header that is missing',
      { responseHeaders: new Headers({ 'Content-Type': 'application/json' }) },
      'ETag is missing',
    ],
    [
      'another media type',
      { responseHeaders: new Headers({ ETag: 'x', 'X-Request-Id': 'r', 'Content-Type': 'text/html' }) },
      'text/html',
    ],
    ['a body where there is none', { status: 204 }, 'response body is not described'],
    [
      'a bad request that was taken',
      { requestBody: { price: { amount: 0.5, currency: 'KRW' } } },
      'request body/price/amount',
    ],
    ['a missing request body', { requestBody: undefined }, 'request body is missing'],
    ['a missing request header', { requestHeaders: new Headers() }, 'Idempotency-Key is missing'],
    ['a bad query parameter', { path: '/v1/things/t1?limit=0' }, 'request query limit'],
    ['an unknown query parameter', { path: '/v1/things/t1?offset=0' }, 'offset is not described'],
    ['a problem that is none', { status: 400, responseHeaders: problemHeaders, responseBody: {} }, 'required'],
    [
      'a 503 that does not say when to come again',
      { status: 503, responseHeaders: problemHeaders, responseBody: problem },
      'Retry-After is missing',
    ],
  ])('%s', (_what, change, fault) => {
    expect(check({ ...good, ...change }).join('\n')).toContain(fault);
  });
});

test('a bad request that was refused is as described', () => {
  const refused = { ...good, requestBody: {}, status: 400, responseHeaders: problemHeaders, responseBody: problem };
  expect(check(refused)).toEqual([]);
});

test('documents and routes are compared both ways', () => {
  const post = route('POST', '/v1/things/:thingId', () => json(200, {}));
  const get = route('GET', '/v1/others', () => json(200, {}));
  expect(differences(document, [post])).toEqual([]);
  expect(differences(document, [get])).toEqual([
    'not described: GET /v1/others',
    'not served: POST /v1/things/{thingId}',
  ]);
});
