import { asError } from '../as-error.js';
import type { ConsumerState } from './consume-partition.js';
import type { SteadyClock } from '../ports/clock.js';

/** How far something that follows the log has come. */
export interface Progress {
  readonly name: string;
  /** Everything up to this position is done; `undefined` while that is not known. */
  readonly position: number | undefined;
  /** Whether nothing is left to do for now. */
  readonly isUpToDate: boolean;
  /** Why not, where that is known. */
  readonly fault?: Error | undefined;
}

/** When it was first seen at this position. */
interface Moved {
  readonly position: number | undefined;
  readonly at: number;
}

/** Milliseconds after which a follower that has work and does not move counts as stalled. */
export const stallTimeoutMs = 10_000;

/**
 * Finds followers that are stalled, for whatever reason, such as a subscription that died without an error. It looks at
 * nothing but how far each has come.
 */
export class StallDetector {
  readonly #clock: SteadyClock;
  readonly #timeoutMs: number;
  #moved = new Map<string, Moved>();

  /** `clock`: one that is never set back. */
  constructor(clock: SteadyClock, timeoutMs = stallTimeoutMs) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** A sentence about each stalled follower, by name. Ask every few seconds. */
  look(progresses: readonly Progress[]): Readonly<Record<string, string>> {
    const now = this.#clock.now();
    const moved = new Map<string, Moved>();
    const standing: Record<string, string> = {};
    for (const { name, position, isUpToDate, fault } of progresses) {
      const before = this.#moved.get(name);
      const isStill = !isUpToDate && before !== undefined && before.position === position;
      const at = isStill ? before.at : now;
      moved.set(name, { position, at });
      if (now - at < this.#timeoutMs || !isStill) continue;
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
 * Finds whether one follower is stalled, by asking it at each look for its progress. One that does not answer, or does
 * not know, counts as not having moved and as having work.
 */
export class WorkWatch {
  readonly #ask: AskProgress;
  readonly #stallDetector: StallDetector;
  #found: readonly Progress[] = [];
  #isAsked = false;

  /** `clock`: one that is never set back. */
  constructor(ask: AskProgress, clock: SteadyClock, timeoutMs: number) {
    this.#ask = ask;
    this.#stallDetector = new StallDetector(clock, timeoutMs);
  }

  /** A sentence if it is stalled. Ask several times within the time limit. */
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
