/** Rejects a piece of work that would be one too many waiting. */
export class TooManyWaiting extends Error {
  constructor() {
    super('Too many are waiting.');
    this.name = 'TooManyWaiting';
  }
}

export interface TurnLimits {
  /** Works at once. */
  readonly concurrent: number;
  /** Works that may wait. Where there would be more, of the payer who has most waiting the last gives way. */
  readonly waiting: number;
}

interface Waiting {
  readonly begin: () => void;
  readonly giveUp: (reason: Error) => void;
}

/** Of one payer who has work under way or waiting. */
interface Line {
  underWay: number;
  readonly waiting: Waiting[];
}

/**
 * Works that take turns. One payer may have half as many under way as there are places free, and one: alone a third of all,
 * and the less the more who do the same, so that a place is left for whoever comes. Those who wait are begun payer by
 * payer, one work of each.
 */
export class FairTurns {
  readonly #limits: TurnLimits;
  /** Those who waited longest for a turn of theirs come first. */
  readonly #lines = new Map<string, Line>();
  /** How many may be under way now. */
  #concurrent: number;
  #underWay = 0;
  #waiting = 0;
  #over: Error | undefined;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
    this.#concurrent = limits.concurrent;
  }

  /** Begins the work in its turn. Rejects with `TooManyWaiting`, at once or later, and with what `end` was given. */
  take<T>(payer: string, work: () => Promise<T>): Promise<T> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    const line = this.#lines.get(payer) ?? { underWay: 0, waiting: [] };
    const mustWait = !this.#hasPlaceFor(line);
    if (mustWait && this.#waiting >= this.#limits.waiting && !this.#makeRoom(line)) {
      return Promise.reject(new TooManyWaiting());
    }
    this.#lines.set(payer, line);
    return new Promise<T>((resolve, reject) => {
      line.waiting.push({ begin: () => void this.#work(payer, line, work).then(resolve, reject), giveUp: reject });
      this.#waiting += 1;
      this.#next();
    });
  }

  /** How many may be under way from now on; what is begun goes on. */
  allow(concurrent: number): void {
    this.#concurrent = concurrent;
    this.#next();
  }

  /** Gives up what waits, and all that comes. */
  end(reason: Error): void {
    this.#over = reason;
    const lines = [...this.#lines.values()];
    for (const line of lines) for (const { giveUp } of line.waiting.splice(0)) giveUp(reason);
    this.#waiting = 0;
  }

  #next(): void {
    while (this.#waiting > 0) {
      const next = this.#whoIsNext();
      if (next === undefined) return;
      const [payer, line] = next;
      this.#lines.delete(payer);
      this.#lines.set(payer, line);
      this.#waiting -= 1;
      this.#underWay += 1;
      line.underWay += 1;
      line.waiting.shift()!.begin();
    }
  }

  #hasPlaceFor({ underWay }: Line): boolean {
    const free = this.#concurrent - this.#underWay;
    return underWay === 0 ? free > 0 : underWay < free / 2;
  }

  /** Looks at few: whoever is passed by has work under way. */
  #whoIsNext(): readonly [string, Line] | undefined {
    if (this.#underWay >= this.#concurrent) return undefined;
    for (const entry of this.#lines) {
      const [, line] = entry;
      if (line.waiting.length > 0 && this.#hasPlaceFor(line)) return entry;
    }
    return undefined;
  }

  /** False: no other payer has more waiting. */
  #makeRoom(forOne: Line): boolean {
    let longest = forOne;
    for (const line of this.#lines.values()) if (line.waiting.length > longest.waiting.length) longest = line;
    if (longest.waiting.length <= forOne.waiting.length + 1) return false;
    longest.waiting.pop()!.giveUp(new TooManyWaiting());
    this.#waiting -= 1;
    return true;
  }

  async #work<T>(payer: string, line: Line, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      line.underWay -= 1;
      if (line.underWay === 0 && line.waiting.length === 0) this.#lines.delete(payer);
      this.#next();
    }
  }
}
