import { BadConfiguration, Unavailable } from '@waybill/shared-kernel/errors.js';
import {
  MongoBulkWriteError,
  MongoClientClosedError,
  MongoError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
} from 'mongodb';

/** Codes of a user that may not: Unauthorized, AuthenticationFailed. */
const refusals: ReadonlySet<unknown> = new Set([13, 18]);

/**
 * Codes of a server that cannot just now; those of the driver's own list of what may be tried again, and of time-outs
 * and write concerns that were not met.
 */
const passing: ReadonlySet<unknown> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  50, // MaxTimeMSExpired
  64, // WriteConcernFailed
  79, // UnknownReplWriteConcern
  89, // NetworkTimeout
  91, // ShutdownInProgress
  100, // UnsatisfiableWriteConcern
  112, // WriteConflict
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  189, // PrimarySteppedDown
  262, // ExceededTimeLimit
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11602, // InterruptedDueToReplStateChange
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
  14031, // OutOfDiskSpace
]);

/**
 * What the driver threw, as ours: `Unavailable` where trying again may help, `BadConfiguration` where the server
 * refuses this user. Anything else is a fault of this program and stays what it is. `what`: `read store` …
 */
export function faultOf(what: string, error: unknown): unknown {
  if (isOfSocket(error)) return new Unavailable(what, `MongoDB cannot be used now: ${error.message}`, { cause: error });
  if (!(error instanceof MongoError)) return error;
  const cause = causeOf(error);
  if (isPassing(cause)) return new Unavailable(what, `MongoDB cannot be used now: ${wordsOf(cause)}`, { cause });
  if (refusals.has(cause.code)) {
    return new BadConfiguration(`MongoDB refuses this user as ${what}: ${cause.message}`, { cause });
  }
  return error;
}

/** The driver's own words, where they say something to those who do not know its parts. */
function wordsOf(error: MongoError): string {
  const isGivenUp = error instanceof MongoTopologyClosedError || error instanceof MongoClientClosedError;
  return isGivenUp ? 'the connection to it was given up, and another is made.' : error.message;
}

/** Codes of a socket that ended as something was written to it, which the driver passes on as it is. */
const endings: ReadonlySet<unknown> = new Set([
  'EPIPE',
  'ECONNRESET',
  'ERR_SOCKET_CLOSED',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

function isOfSocket(error: unknown): error is Error {
  return !(error instanceof MongoError) && error instanceof Error && 'code' in error && endings.has(error.code);
}

/** A bulk write hides in its own error what ended it before the server could answer. */
function causeOf(error: MongoError): MongoError {
  const inner: unknown = error instanceof MongoBulkWriteError ? error.errorResponse : undefined;
  return inner instanceof MongoError ? inner : error;
}

function isPassing(error: MongoError): boolean {
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoNotConnectedError ||
    error instanceof MongoClientClosedError ||
    error instanceof MongoTopologyClosedError ||
    error instanceof MongoWriteConcernError ||
    // Not among what the driver exports as a class.
    error.name === 'MongoWaitQueueTimeoutError' ||
    error.hasErrorLabel('RetryableWriteError') ||
    (error instanceof MongoServerError && passing.has(error.code))
  );
}
