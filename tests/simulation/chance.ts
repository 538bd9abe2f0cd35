import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';

/** Chance that a seed decides. */
export class Chance {
  readonly randomness: Randomness;
  readonly #draws: Randomness;
  #drawn = Buffer.alloc(0);

  constructor(seed: string) {
    this.randomness = seededRandomness(seed);
    this.#draws = seededRandomness(`${seed} draws`);
  }

  /** Whether it falls into a share of all, 0 to 1. */
  is(share: number): boolean {
    return this.#fraction() < share;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.#fraction() * (most - least + 1));
  }

  /** From a moment to a long time, short ones as likely as long ones. */
  anywhere(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.#fraction());
  }

  one<Choice>(of: readonly Choice[]): Choice {
    const chosen = of[this.between(0, of.length - 1)];
    if (chosen === undefined) throw new Error('There is nothing to choose from.');
    return chosen;
  }

  /** One of these, each with its share of all; the rest is `otherwise`. */
  among<Choice extends string, Rest extends string>(
    shares: Readonly<Record<Choice, number>>,
    otherwise: Rest,
  ): Choice | Rest {
    let left = this.#fraction();
    for (const choice in shares) {
      left -= shares[choice];
      if (left < 0) return choice;
    }
    return otherwise;
  }

  #fraction(): number {
    if (this.#drawn.length === 0) this.#drawn = Buffer.from(this.#draws.bytes(4096));
    const fraction = this.#drawn.readUInt32BE() / 2 ** 32;
    this.#drawn = this.#drawn.subarray(4);
    return fraction;
  }
}
