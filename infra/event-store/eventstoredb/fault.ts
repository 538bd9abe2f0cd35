import { ErrorType, type WrongExpectedVersionError } from '@eventstore/db-client';
import { InvalidInput, Unavailable } from '@waybill/shared-kernel/errors.js';

/** What passes: the server is down, restarts, changes its leader, or has cut a call or a slow subscriber off. */
const passingTypes = new Set<unknown>([
  ErrorType.UNAVAILABLE,
  ErrorType.DEADLINE_EXCEEDED,
  ErrorType.TIMEOUT,
  ErrorType.CANCELLED,
  ErrorType.NOT_LEADER,
]);
/**
 * The same as gRPC codes: cancelled, deadline exceeded, aborted, internal (a server stopped in order gives an
 * `UnknownError` with it), unavailable (where the error has come past the client, it has no type).
 */
const passingCodes = new Set<unknown>([1, 4, 10, 13, 14]);

/** Thrown by the client without type or code when a call meets a connection being replaced, or finds no node. */
const passingMessages = /^(Channel has been shut down|Failed to discover)/;

/**
 * What an error of the client is to us. Its `type` says it, then its `code`; its `name` is always `Error` and its
 * `message` often empty.
 */
export function faultOf(error: unknown): Error {
  if (error instanceof Unavailable) return error;
  const { type, code, message } = partsOf(error);
  const said = [type, code === undefined ? undefined : `code ${code}`, message].filter(Boolean).join(', ');
  if (passingTypes.has(type) || passingCodes.has(code) || passingMessages.test(message)) {
    return new Unavailable('event store', `EventStoreDB cannot be reached (${said}).`, { cause: error });
  }
  switch (type) {
    case ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED:
      return new InvalidInput(
        [],
        'The events are too large for one append to EventStoreDB (1 MiB unless it is set up otherwise).',
      );
    case ErrorType.ACCESS_DENIED:
      return new Error('EventStoreDB denies access: check user and password in its connection string.', {
        cause: error,
      });
    default:
      return new Error(`EventStoreDB: ${said}`, { cause: error });
  }
}

/** No connection to the node is to be had, or it is not ready: another may be. */
export function isUnreachable(error: unknown): boolean {
  const { type, code, message } = partsOf(error);
  return type === ErrorType.UNAVAILABLE || code === 14 || message.startsWith('Failed to discover');
}

export function isWrongExpectedVersion(error: unknown): error is WrongExpectedVersionError {
  return partsOf(error).type === ErrorType.WRONG_EXPECTED_VERSION;
}

/** Unknown, or soft-deleted. */
export function isStreamNotFound(error: unknown): boolean {
  return partsOf(error).type === ErrorType.STREAM_NOT_FOUND;
}

export function isStreamDeleted(error: unknown): boolean {
  return partsOf(error).type === ErrorType.STREAM_DELETED;
}

/** Whether it is an answer, which asking again would not change, rather than a failure to give one. */
export function isAnswer(error: unknown): boolean {
  return (
    isWrongExpectedVersion(error) || isStreamNotFound(error) || isStreamDeleted(error) || isNoRecordsPosition(error)
  );
}

/** A read of the log from a position at which no record begins. */
export function isNoRecordsPosition(error: unknown): boolean {
  return /Unexpected ReadAllResult|InvalidPosition/.test(partsOf(error).message);
}

function partsOf(error: unknown): {
  readonly type: unknown;
  readonly code?: string | number;
  readonly message: string;
} {
  if (!(error instanceof Error)) return { type: undefined, message: String(error) };
  const type = 'type' in error ? error.type : undefined;
  const code = 'code' in error ? error.code : undefined;
  // Those of Node's sockets are words.
  const isCode = typeof code === 'number' || typeof code === 'string';
  return { type, message: error.message, ...(isCode && { code }) };
}
