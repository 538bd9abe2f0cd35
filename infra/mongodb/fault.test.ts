import { describe, expect, test } from '@jest/globals';
import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import { MongoNetworkError, MongoServerError } from 'mongodb';
import { faultOf } from './fault.js';

const refusal = (code: number): MongoServerError => new MongoServerError({ message: 'no', code });

describe('what the driver throws', () => {
  test.each([
    ['a cut line', new MongoNetworkError('closed')],
    [
      'a socket that ended as it was written to',
      Object.assign(new Error('ended by the other party'), { code: 'EPIPE' }),
    ],
    ['a primary that no longer is one', refusal(10107)],
    ['a write that no majority took in time', refusal(64)],
    ['a server that goes down', refusal(91)],
    ['a question that took too long', refusal(50)],
    [
      'what the server says may be tried again',
      new MongoServerError({ message: 'no', errorLabels: ['RetryableWriteError'] }),
    ],
  ])('%s may pass', (_, error) => {
    expect(faultOf('read store', error)).toMatchObject({ constructor: Unavailable, what: 'read store', cause: error });
  });

  test.each([13, 18])('a user who may not is a fault of the configuration (%i)', (code) => {
    expect(faultOf('read store', refusal(code))).toBeInstanceOf(BadConfiguration);
  });

  test.each([
    ['a question the server does not understand', refusal(2)],
    ['a fault of our own', new TypeError('no')],
  ])('%s stays what it is', (_, error) => {
    expect(faultOf('read store', error)).toBe(error);
  });
});
