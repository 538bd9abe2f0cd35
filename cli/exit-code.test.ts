import { CommanderError } from 'commander';
import { describe, expect, test } from '@jest/globals';
import * as errors from '@waybill/shared-kernel/errors.js';
import { endingOf, exitCodeOfKind } from './exit-code.js';

/** One of every class that `errors.ts` exports; the arguments do not matter to the kind. */
function everyError(): readonly errors.WaybillError[] {
  return Object.values(errors)
    .filter((exported) => exported !== errors.WaybillError)
    .map((kind) => Reflect.construct(kind, ['', '', '']) as errors.WaybillError);
}

describe('exit codes', () => {
  test('every kind of error has one, and no other kind is listed', () => {
    const kinds = everyError().map(({ kind }) => kind);
    expect(Object.keys(exitCodeOfKind).toSorted()).toEqual(kinds.toSorted());
  });

  test.each([
    [new errors.NotFound('order', 'x'), 1],
    [new errors.InvalidInput([], 'That is no date.'), 2],
    [new errors.BadConfiguration('WAYBILL_READ_PORT is "x".'), 2],
    [new errors.Unavailable('event store', 'It is locked.'), 3],
    [new errors.BadDataFile('log.sqlite is damaged.'), 3],
  ] as const)('%s', (error, exitCode) => {
    expect(endingOf(error)).toEqual({ exitCode, message: error.message });
  });

  test('wrong usage is 2, help is 0; commander has said the rest', () => {
    expect(endingOf(new CommanderError(1, 'commander.unknownOption', ''))).toEqual({ exitCode: 2, message: undefined });
    expect(endingOf(new CommanderError(0, 'commander.helpDisplayed', ''))).toEqual({ exitCode: 0, message: undefined });
  });

  test('a fault of our own is 3, with its stack', () => {
    const { exitCode, message } = endingOf(new TypeError('x is not a function'));
    expect(exitCode).toBe(3);
    expect(message).toMatch(/please report it[^]*TypeError: x is not a function[^]*exit-code\.test/);
  });
});
