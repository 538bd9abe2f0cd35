import { asError } from '../as-error.js';
import type { ConsumerState } from './consume-partition.js';
import type { SteadyClock } from '../ports/clock.js';

/** How far something that follows the log has come. */
export interface Progress {
  readonly name: string;
  /** Everything up to here is done; `undefined` while that is not known. */
  readonly position: number | undefined;
  /** Whether nothing is left to be done for now. */
  readonly isUpToDate: boolean;
  /** Why not, where that is known. */
  readonly fault?: Error | undefined;
}

/** When it was first seen where it is. */
interface Moved {
  readonly position: number | undefined;
  readonly at: number;
}

/** Milliseconds after which what has something to do and does not move is said to stand still. */
export const stallTimeoutMs = 10_000;

/**
 * Tells what stands still, whatever the reason, be it a subscription that died without a word: by looking now and then
 * how far each has come, and at nothing else.
 */
export class StallDetector {
  readonly #clock: SteadyClock;
  readonly #answerTimeoutMs: number;
  #moved = new Map<string, Moved>();

  /** `clock`: one that is never set back. */
  constructor(clock: SteadyClock, answerTimeoutMs = stallTimeoutMs) {
    this.#clock = clock;
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /** A sentence about each that stands still, by its name. To be asked every few seconds. */
  look(progresses: readonly Progress[]): Readonly<Record<string, string>> {
    const now = this.#clock.now();
    const moved = new Map<string, Moved>();
    const standing: Record<string, string> = {};
    for (const { name, position, isUpToDate, fault } of progresses) {
      const before = this.#moved.get(name);
      const isStill = !isUpToDate && before !== undefined && before.position === position;
      const at = isStill ? before.at : now;
      moved.set(name, { position, at });
      if (now - at < this.#answerTimeoutMs || !isStill) continue;
      const why = fault === undefined ? '.' : `: ${fault.message}`;
      standing[name] =
        `It has not moved from position ${position ?? 'unknown'} for ${Math.round((now - at) / 1000)} s${why}`;
    }
    this.#moved = moved;
    return standing;
  }
}

type AskProgress = () => readonly Progress[] | Promise<readonly Progress[]>;

/**
 * Tells whether one work stands still, by asking it at each look and judging by what it answered since the last. One
 * that does not answer, or does not know, is where it was and has something to do as far as anybody can tell.
 */
export class WorkWatch {
  readonly #ask: AskProgress;
  readonly #stallDetector: StallDetector;
  #found: readonly Progress[] = [];
  #isAsked = false;

  /** `clock`: one that is never set back. */
  constructor(ask: AskProgress, clock: SteadyClock, answerTimeoutMs: number) {
    this.#ask = ask;
    this.#stallDetector = new StallDetector(clock, answerTimeoutMs);
  }

  /** A sentence about what stands still, if something does. To be asked several times within the patience. */
  look(): string | undefined {
    const standing = this.#stallDetector.look(
      this.#isAsked ? this.#doubted(new Error('It does not say.')) : this.#found,
    );
    if (!this.#isAsked) void this.#askAgain();
    const sentences = Object.entries(standing).map(([name, sentence]) => `${name}: ${sentence}`);
    return sentences.length === 0 ? undefined : sentences.join(' ');
  }

  async #askAgain(): Promise<void> {
    this.#isAsked = true;
    try {
      this.#found = await this.#ask();
    } catch (error) {
      this.#found = this.#doubted(asError(error));
    } finally {
      this.#isAsked = false;
    }
  }

  #doubted(fault: Error): readonly Progress[] {
    const known = this.#found.length > 0 ? this.#found : [{ name: 'work', position: undefined }];
    return known.map(({ name, position }) => ({ name, position, isUpToDate: false, fault }));
  }
}

/** Of a partition that is consumed. */
export function progressOf(name: string, { mode, position, fault }: ConsumerState): Progress {
  return { name, position, isUpToDate: mode === 'following' || mode === 'stopped', fault };
}
