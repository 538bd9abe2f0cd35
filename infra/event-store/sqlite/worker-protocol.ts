import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadDataFile, Unavailable, WaybillError } from '@waybill/shared-kernel/errors.js';
import type { Answer } from './group-commit.js';
import type { Outcome } from './log-writer.js';

/** An error on its way between threads, where classes do not survive. */
export interface Failure {
  readonly kind: string;
  readonly message: string;
}

/** What the log worker says on the port of a store: `grown` alone when the log has grown by others' appends. */
export type WorkerSays =
  { readonly outcomes: readonly Outcome[] } | { readonly failure: Failure } | { readonly grown: true };

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
