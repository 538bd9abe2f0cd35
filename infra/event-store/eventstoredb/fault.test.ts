import {
  DeadlineExceededError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  TimeoutError,
  UnavailableError,
  UnknownError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { describe, expect, test } from '@jest/globals';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { faultOf, isStreamDeleted, isStreamNotFound, isWrongExpectedVersion } from './fault.js';

function withCode(code: number, message = ''): Error {
  return Object.assign(new Error(message), { code });
}

describe('an error of the client', () => {
  test.each([
    ['with the type unavailable', new UnavailableError()],
    ['with the bare code 14', withCode(14)],
    ['past its deadline', new DeadlineExceededError()],
    ['of a subscriber that is too slow', new TimeoutError()],
    ['of a server stopped in order', Object.assign(new UnknownError(), { code: 13 })],
    ['of a connection just being replaced', new Error('Channel has been shut down')],
    ['of a cluster without a node to be found', new Error('Failed to discover after 10 attempts.')],
  ])('%s is a store that is unavailable', (_, error) => {
    expect(faultOf(error)).toMatchObject({ kind: 'unavailable', what: 'event store', cause: error });
  });

  test.each([
    ['of an unknown kind', Object.assign(new UnknownError(), { code: 2 })],
    ['that is none of its own', new TypeError('x is not a function')],
    ['that is no error', 'no'],
  ])('%s is not, and says more than nothing', (_, error) => {
    const fault = faultOf(error);
    expect(fault).not.toBeInstanceOf(Unavailable);
    expect(fault.message).not.toBe('');
    expect(fault.cause).toBe(error);
  });

  test('for an append too large is about the input', () => {
    expect(faultOf(MaxAppendSizeExceededError.fromMaxAppendSize(1))).toMatchObject({ kind: 'invalid-input' });
  });

  test('is told by its type, as its name is always Error', () => {
    const versions = { streamName: 'order-1', current: 3n, expected: 1n } as const;
    const wrong = new WrongExpectedVersionError(null as never, versions);
    expect(wrong.name).toBe('Error');
    expect(isWrongExpectedVersion(wrong)).toBe(true);
    expect(isWrongExpectedVersion(new UnknownError())).toBe(false);
    expect(isStreamNotFound(new StreamNotFoundError(null as never, 'order-1'))).toBe(true);
    expect(isStreamNotFound(wrong)).toBe(false);
    expect(isStreamDeleted(StreamDeletedError.fromStreamName('order-1'))).toBe(true);
    expect(isStreamDeleted(wrong)).toBe(false);
  });
});
