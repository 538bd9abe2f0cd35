import process from 'node:process';
import { WaybillError } from '@waybill/shared-kernel/errors.js';

/** A part of Waybill that runs until it is asked to stop. */
export interface Running {
  /** What a person who started it should read, with a line break at its end. */
  readonly greeting: string;
  /** Takes nothing new, finishes what is under way, and lets go of what it holds. */
  stop(): Promise<void>;
  /** Resolves, with a sentence, when a part of it ended that should not have. */
  readonly broken?: Promise<string>;
}

/** Whoever stops a process waits about ten seconds before using force. */
const stopPatience = 9_500;

const exitCodes = { good: 0, broken: 1, wronglyConfigured: 2, cannotRun: 3 } as const;

/**
 * Runs a process from its start to its end: until SIGINT or SIGTERM, upon which it stops in order, or at once at the
 * second of them. What a crash leaves behind any start can bear, so stopping may be cut short: after a while it is.
 */
export async function runProcess(start: () => Promise<Running>): Promise<void> {
  try {
    const running = await start();
    let stopping = false;
    const stop = (): void => {
      if (stopping) process.exit(exitCodes.broken);
      stopping = true;
      setTimeout(() => {
        process.stderr.write('Stopping took too long and was cut short; nothing that was acknowledged is lost.\n');
        process.exit(exitCodes.broken);
      }, stopPatience).unref();
      running.stop().then(() => process.exit(exitCodes.good), fail);
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    void running.broken?.then((sentence) => {
      if (stopping) return;
      process.stderr.write(`${sentence}\n`);
      process.exit(exitCodes.broken);
    });
    process.stdout.write(running.greeting);
  } catch (error) {
    fail(error);
  }
}

/** Ends the process: a fault a person can mend is one sentence, anything else comes with where it happened. */
function fail(error: unknown): never {
  const isExpected = error instanceof WaybillError;
  process.stderr.write(`${isExpected ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(isExpected && error.kind === 'bad-configuration' ? exitCodes.wronglyConfigured : exitCodes.cannotRun);
}
