import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { SteadyClock, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Config, Environment } from '@waybill/infra/process/config.js';
import { showProgress, type Progress, type ProgressStream } from './text/progress.js';

/** What a verb has of the world. */
export interface Context {
  /** Reads the environment; throws `BadConfiguration`. Verbs ask for it when they run, so `--help` needs none. */
  readonly config: () => Config;
  /** As it is, for whoever judges it. */
  readonly environment: Environment;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  /** Aborts at the next Ctrl-C, which then ends nothing by itself: for verbs that have something to say to it. */
  readonly interruption: () => AbortSignal;
  /** Results. */
  readonly out: Writable;
  /** Everything said beside them. */
  readonly err: ProgressStream;
}

/** Writes a result and waits where its reader is slower. */
export async function print(context: Context, text: string): Promise<void> {
  if (!context.out.write(text)) await once(context.out, 'drain');
}

export function printJson(context: Context, value: unknown): Promise<void> {
  return print(context, `${JSON.stringify(value)}\n`);
}

/** Something a person at a terminal should know, and a program need not. */
export function say(context: Context, sentence: string): void {
  context.err.write(`${sentence}\n`);
}

/** Runs work that shows how far it has come. */
export async function withProgress<T>(
  context: Context,
  label: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const progress = showProgress(context.err, label, context.steadyClock);
  try {
    return await work(progress);
  } finally {
    progress.end();
  }
}
