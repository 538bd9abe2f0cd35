import {
  ConcurrentRequest,
  EventFromTheFuture,
  InvalidInput,
  Unavailable,
  WrongExpectedRevision,
} from '@waybill/shared-kernel/errors.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import type { AggregateLog } from '../handling/aggregate-streams.js';
import { appendSurely } from '../handling/append-surely.js';

type Log = AggregateLog;

/** A fault of the log itself, not of its events. */
class LogFault extends Error {
  constructor(readonly fault: unknown) {
    super('The log could not be used.');
  }
}

/** The same log, with its faults marked, so that they differ from faults of deciding on its events. */
export function withLogFaults(log: Log): Log {
  return {
    append: (...asked) => appendSurely(log, ...asked).catch(tellApart),
    readStream: (...asked) => log.readStream(...asked).catch(tellApart),
    cutOf: (stream) => log.cutOf(stream).catch(tellApart),
  };
}

function tellApart(error: unknown): never {
  // What the log answers to this very append is no fault of the log, nor is what became of one stream.
  if (error instanceof WrongExpectedRevision || error instanceof InvalidInput || isStreamFault(error)) throw error;
  throw new LogFault(error);
}

/** The fault, if trying again may help; `undefined`: it would fail in the same way every time. */
export function passingFault(error: unknown): { readonly fault: unknown } | undefined {
  if (error instanceof LogFault) return error;
  const passes = [Unavailable, ConcurrentRequest, EventFromTheFuture].some((kind) => error instanceof kind);
  return passes ? { fault: error } : undefined;
}
