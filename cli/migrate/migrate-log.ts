import { InvalidInput, RuleViolated, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Appended, LogPages, LogHead } from '@waybill/shared-kernel/ports/event-store.js';
import { appendsOf, bytesOf, type Run } from './appends.js';
import { compareLogs, type Comparison } from './compare-logs.js';

/** A log that takes events of another as that one had them. */
export interface AdoptingLog extends LogPages {
  /** `Appender.append`, with events that keep the times at which the other log took them. */
  adopt(stream: string, expectedRevision: number, events: readonly RecordedEvent[]): Promise<Appended>;
}

export interface MigrateDependencies {
  readonly source: LogPages & LogHead;
  readonly target: AdoptingLog;
  /** A steady one. */
  readonly clock: SteadyClock;
  /** Runs a part of the work that shows how far it has come. */
  readonly show?: Show;
}

export type Show = <T>(what: Phase, work: (advance: (done: number, total: number) => void) => Promise<T>) => Promise<T>;
export type Phase = 'Comparing' | 'Copying';

export interface Migrated {
  /** Events that this run copied. */
  readonly copied: number;
  /** Appends in which it did so. */
  readonly appends: number;
  /** Milliseconds that copying took. */
  readonly took: number;
  /** What the last comparison found: all of both logs, unless they differ. */
  readonly comparison: Comparison;
}

/** What EventStoreDB takes in one append unless it is set up otherwise, and a little less. */
const mostBytes = 1_000_000;

const silently: Show = (_what, work) => work(() => undefined);

/**
 * Copies a log to the end of another that has its first events, or none: compares, copies what is missing, and compares
 * again, until nothing is missing. So it may be stopped at any time, and goes on when it is run again. One append after
 * the other, as the order of the log across streams is that in which the target takes them. A target that holds
 * anything else is left as it is: see `comparison.difference`.
 *
 * Rejects with `Unavailable` where a log cannot be reached, and with `RuleViolated` where the target does not take what
 * was appended together.
 */
export async function migrateLog({ source, target, clock, show = silently }: MigrateDependencies): Promise<Migrated> {
  let [copied, appends, took] = [0, 0, 0];
  for (let isStuck = false; ;) {
    const head = await source.head();
    const comparison = await show('Comparing', (advance) =>
      compareLogs(source, target, (position) => advance(position, head)),
    );
    if (!comparison.isPrefix) return { copied, appends, took, comparison };
    const began = clock.now();
    const before = copied;
    await show('Copying', async (advance) => {
      try {
        for await (const run of appendsOf(source, comparison.position, mostBytes)) {
          await adopt(target, run);
          copied += run.length;
          appends += 1;
          advance(run.at(-1)!.position, head);
        }
      } catch (error) {
        // An append of a run that was killed may have come in late. Looking again tells; twice at one place, it is not that.
        if (!(error instanceof WrongExpectedRevision) || isStuck) throw error;
      }
    });
    isStuck = copied === before;
    took += clock.now() - began;
  }
}

async function adopt(target: AdoptingLog, run: Run): Promise<void> {
  const { stream, revision } = run[0]!;
  try {
    await target.adopt(stream, revision - 1, run);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new RuleViolated(
        'event-not-taken',
        `The target cannot take revision ${revision} of ${stream}: ${error.message}.`,
      );
    }
    if (!(error instanceof InvalidInput)) throw error;
    throw new RuleViolated(
      'append-too-large',
      `The target does not take revisions ${revision} to ${revision + run.length - 1} of ${stream} at once, which are about ${bytesOf(run)} bytes as JSON and were appended together: ${error.message} Let it take more (EVENTSTORE_MAX_APPEND_SIZE), then run this again: it goes on where it stopped.`,
    );
  }
}
