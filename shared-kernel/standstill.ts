import type { ConsumerState } from './consume-partition.js';
import type { Clock } from './ports/clock.js';

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
export const standstillPatience = 10_000;

/**
 * Tells what stands still, whatever the reason, be it a subscription that died without a word: by looking now and then
 * how far each has come, and at nothing else.
 */
export class Standstill {
  readonly #clock: Clock;
  readonly #patience: number;
  #moved = new Map<string, Moved>();

  /** `clock`: one that is never set back. */
  constructor(clock: Clock, patience = standstillPatience) {
    this.#clock = clock;
    this.#patience = patience;
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
      if (now - at < this.#patience || !isStill) continue;
      const why = fault === undefined ? '.' : `: ${fault.message}`;
      standing[name] =
        `It has not moved from position ${position ?? 'unknown'} for ${Math.round((now - at) / 1000)} s${why}`;
    }
    this.#moved = moved;
    return standing;
  }
}

/** Of a partition that is consumed. */
export function progressOf(name: string, { mode, position, fault }: ConsumerState): Progress {
  return { name, position, isUpToDate: mode === 'following' || mode === 'stopped', fault };
}
