import { describe, expect, test } from '@jest/globals';
import * as errors from '@waybill/shared-kernel/errors.js';
import { sharedSchemas } from './pages/openapi.js';
import { isOurFault, problemAnswer, problemKinds, RequestRefused, type Problem } from './problem.js';

/** One of each class, and what must become of it. */
const examples: readonly (readonly [errors.WaybillError, number])[] = [
  [new errors.InvalidInput([{ pointer: '/lines/0/quantity', detail: 'must be positive' }]), 400],
  [new errors.NotFound('order', 'o1'), 404],
  [new errors.RuleViolated('order-dispatched', 'It left.'), 409],
  [new errors.LimitReached('positions-of-delivery', 'There are 20,000.'), 429],
  [new errors.IdTaken('p1'), 409],
  [new errors.Forbidden('Not yours.'), 403],
  [new errors.Unauthenticated('Who?'), 401],
  [new errors.RevisionMismatch(4), 412],
  [new errors.IdempotencyKeyMissing('Send one.'), 400],
  [new errors.IdempotencyKeyReused(), 422],
  [new errors.ConcurrentRequest('Busy.'), 409],
  [new errors.WrongExpectedRevision('order-o1', 1, 2), 409],
  [new errors.StreamCut('order-o1', 2), 410],
  [new errors.StreamUnreadable('order-o1', 2, 17, 'it is not JSON'), 503],
  [new errors.Overloaded(3), 429],
  [new errors.Unavailable('event store', 'SQLITE_IOERR /secret/log.sqlite'), 503],
  [new errors.DocumentNotStorable('o1', 'It is in /secret/read-models.sqlite.'), 500],
  [new errors.Quarantined('order', 'o1', { since: '2026-01-01T00:00:00.000Z', reason: 'It broke.' }), 503],
  [new errors.ReadModelBehind('Not yet.'), 503],
  [new errors.LogMismatch('The read model orders', 'the log ends at 9'), 503],
  [new errors.EventFromTheFuture('OrderPlaced', 9), 503],
  [new errors.BadDataFile('/secret/log.sqlite is broken.'), 500],
  [new errors.BadConfiguration('WAYBILL_X is wrong.'), 500],
];

const problemOf = (error: unknown): Problem => JSON.parse(problemAnswer(error, 'request-1').body!) as Problem;

test('every error class of the kernel has an example here', () => {
  const classes = Object.values(errors).filter((exported) => typeof exported === 'function');
  const missing = classes.filter(
    (each) => each !== errors.WaybillError && !examples.some(([example]) => example.constructor === each),
  );
  expect(missing).toEqual([]);
});

describe.each(examples.map(([error, status]) => [error.kind, error, status] as const))('%s', (_kind, error, status) => {
  test('becomes a problem of its own kind', () => {
    const answer = problemAnswer(error, 'request-1');
    const problem = problemOf(error);
    expect(answer.status).toBe(status);
    expect(answer.headers?.['Content-Type']).toBe('application/problem+json; charset=utf-8');
    expect(problem).toMatchObject({ type: `urn:waybill:problem:${error.kind}`, status });
    expect(Object.keys(problemKinds)).toContain(error.kind);
  });

  test('says nothing of the inside', () => {
    expect(problemAnswer(error, 'request-1').body).not.toMatch(/secret|WAYBILL_X|\.js:/);
  });

  test('names when to try again exactly where that may help', () => {
    const helps = status === 503 || error instanceof errors.Overloaded;
    expect('Retry-After' in problemAnswer(error, 'request-1').headers!).toBe(helps);
  });
});

test('every kind is named in the OpenAPI documents', () => {
  const { description } = sharedSchemas.Problem.properties.type;
  for (const [kind, { status }] of Object.entries(problemKinds)) {
    expect(description).toContain(`urn:waybill:problem:${kind}\` (${status})`);
  }
});

test('faults of the input come with their pointers', () => {
  const faults = [{ pointer: '/limit', parameter: 'limit', detail: 'must be 1 to 100' }];
  expect(problemOf(new errors.InvalidInput(faults)).errors).toEqual(faults);
});

test.each([
  [3, 3],
  [undefined, null],
])('a cut stream says which it is, and where what is left begins: %p', (first, firstRevision) => {
  expect(problemOf(new errors.StreamCut('order-o1', first))).toMatchObject({ stream: 'order-o1', firstRevision });
});

test('a revision mismatch says the current one', () => {
  const error = new errors.RevisionMismatch(4);
  expect(problemOf(error)).toMatchObject({ currentRevision: 4 });
  expect(problemAnswer(error, 'request-1').headers).toMatchObject({ ETag: '"4"' });
});

test('what is quarantined says since when, and why', () => {
  const degraded = { since: '2026-01-01T00:00:00.000Z', reason: 'It broke.' };
  expect(problemOf(new errors.Quarantined('order', 'o1', degraded))).toMatchObject({ degraded });
});

test('a violated rule is named', () => {
  expect(problemOf(new errors.RuleViolated('order-dispatched', 'It left.'))).toMatchObject({
    rule: 'order-dispatched',
  });
});

test('a limit is named, and when there may be more where that is known', () => {
  const reached = new errors.LimitReached('address-changes-of-day', 'There were 200 today.', 3_600);
  expect(problemOf(reached)).toMatchObject({ limit: 'address-changes-of-day', detail: 'There were 200 today.' });
  expect(problemAnswer(reached, 'r').headers).toMatchObject({ 'Retry-After': '3600' });
});

test('401 says how to authenticate', () => {
  expect(problemAnswer(new errors.Unauthenticated('Who?'), 'r').headers).toHaveProperty('WWW-Authenticate');
});

test.each([[new Error('boom at /secret')], ['a string'], [undefined], [new TypeError('x is undefined')]])(
  'what nobody foresaw (%s) is 500, without its message, with the request id',
  (error) => {
    expect(isOurFault(error)).toBe(true);
    expect(problemOf(error)).toEqual({
      type: 'urn:waybill:problem:internal',
      title: 'Internal error',
      status: 500,
      detail: expect.not.stringContaining('boom') as unknown,
      requestId: 'request-1',
    });
  },
);

test('a refusal of HTTP brings its headers', () => {
  const refused = new RequestRefused('method-not-allowed', 'Only GET.', { Allow: 'GET' });
  expect(isOurFault(refused)).toBe(false);
  expect(problemAnswer(refused, 'r')).toMatchObject({ status: 405, headers: { Allow: 'GET' } });
});
