import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadDataFile, Unavailable, WaybillError } from '@waybill/shared-kernel/errors.js';
import { steadyClock } from '../../clock/steady.js';
import type { Append } from '../append.js';
import type { Answer } from './group-commit.js';
import type { AppendBatch, AppendOutcome } from './log-writer.js';

/** An error on its way between threads, where classes do not survive. */
export interface Failure {
  readonly kind: string;
  readonly message: string;
}

/** A batch on its way to the log worker, which cannot ask the clock of the thread that sent it. */
export interface SentBatch {
  /** The time of that clock when it was sent, milliseconds since 1970. */
  readonly now: number;
  /** When that was by the steady clock, which all threads of a process share. */
  readonly sentAt: number;
  readonly appends: readonly Append[];
}

/** The batch as it was sent: the time is the sender's, and what has passed since. */
export function batchOf({ now, sentAt, appends }: SentBatch): AppendBatch {
  return { now: () => new Date(now + steadyClock.now() - sentAt).toISOString(), appends };
}

/** What the log worker says on the port of a store: `grown` alone when the log has grown by others' appends. */
export type WorkerSays =
  { readonly outcomes: readonly AppendOutcome[] } | { readonly failure: Failure } | { readonly grown: true };

export function failureOf(fault: unknown): Failure {
  if (fault instanceof WaybillError) return { kind: fault.kind, message: fault.message };
  return { kind: 'unavailable', message: asError(fault).message };
}

export function faultOf({ kind, message }: Failure): BadDataFile | Unavailable {
  return kind === 'bad-data-file' ? new BadDataFile(message) : new Unavailable('event store', message);
}

export function messageOf(answer: Answer): WorkerSays {
  return 'fault' in answer ? { failure: failureOf(answer.fault) } : answer;
}
