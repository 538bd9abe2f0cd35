import { CommanderError } from 'commander';
import { WaybillError } from '@waybill/shared-kernel/errors.js';

/** What the exit code of the command line says. */
export const exitCodes = {
  good: 0,
  /** A check failed, or what was asked for is not there. */
  failed: 1,
  /** Used wrongly: options, arguments, input files, configuration. */
  usedWrongly: 2,
  /** Something it needs is down, missing or damaged, or of a newer version. */
  down: 3,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Every kind of `shared-kernel/errors.ts`. */
export const exitCodeOfKind: Readonly<Record<string, ExitCode>> = {
  'invalid-input': exitCodes.usedWrongly,
  'not-found': exitCodes.failed,
  'rule-violated': exitCodes.failed,
  'limit-reached': exitCodes.failed,
  'id-taken': exitCodes.failed,
  forbidden: exitCodes.failed,
  unauthenticated: exitCodes.failed,
  'revision-mismatch': exitCodes.failed,
  'idempotency-key-missing': exitCodes.usedWrongly,
  'idempotency-key-reused': exitCodes.failed,
  'concurrent-request': exitCodes.failed,
  'wrong-expected-revision': exitCodes.failed,
  unavailable: exitCodes.down,
  overloaded: exitCodes.down,
  'stream-cut': exitCodes.failed,
  'stream-unreadable': exitCodes.failed,
  'document-not-storable': exitCodes.down,
  quarantined: exitCodes.failed,
  'read-model-behind': exitCodes.down,
  'log-mismatch': exitCodes.down,
  'event-from-the-future': exitCodes.down,
  'bad-data-file': exitCodes.down,
  'bad-configuration': exitCodes.usedWrongly,
};

/** What a failure ends the process with. */
export interface Ending {
  readonly exitCode: ExitCode;
  /** What is said on standard error; `undefined` where it was said already. */
  readonly message: string | undefined;
}

export function endingOf(error: unknown): Ending {
  if (error instanceof CommanderError) {
    return { exitCode: error.exitCode === 0 ? exitCodes.good : exitCodes.usedWrongly, message: undefined };
  }
  if (error instanceof WaybillError) {
    return { exitCode: exitCodeOfKind[error.kind] ?? exitCodes.down, message: error.message };
  }
  const description = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { exitCode: exitCodes.down, message: `This is a fault of waybill itself; please report it.\n${description}` };
}
