import { beginning } from '@waybill/shared-kernel/ports/event-store.js';

/** A request that recorded events in a stream: its id, the revision of its last event, and its time in milliseconds. */
export type KnownRequest = readonly [id: string, revision: number, at: number];

/** Milliseconds for which every request is remembered: the contract's promise to clients. */
const promised = 24 * 60 * 60 * 1000;

/** How many of the latest requests are remembered, however old they are. */
const atLeast = 1_000;

/** A request by rule: no client sent it, its id follows from its purpose. Its revision and its position in the log. */
export type RuledRequest = readonly [id: string, revision: number, position: number];

/** The latest requests by rule, and the position up to which older ones are forgotten. */
export interface RuledRequests {
  readonly known: readonly RuledRequest[];
  readonly forgottenThrough: number;
}

/** How many requests by rule are remembered: some minutes' worth for a product that everybody buys. */
const latestRuled = 5_000;

/** What it takes before there is a request, and more with each: its id, where it stands, and its place in the map. */
const bytesOfNone = 500;
const bytesOfOne = 150;

/**
 * The requests that recorded events in a stream, and where. A request is forgotten once a thousand later requests are
 * each at least a day newer, so one host with a fast clock makes the stream forget nothing. A product may have as many
 * requests by rule as orders: only the latest are remembered, and older ones are looked up in the log. What is
 * remembered follows from the stream alone, and stays small in a snapshot.
 */
export class KnownRequests {
  /** In the order in which they came. */
  readonly #known = new Map<string, { readonly revision: number; readonly at: number }>();
  /**
   * The time of the earliest among the latest thousand requests. `undefined` until a request may have to be forgotten.
   */
  #earliest: Times | undefined;

  /** Requests by rule, in the order in which they came. */
  readonly #ruled = new Map<string, { readonly revision: number; readonly position: number }>();
  readonly #latestRuled: number;
  #forgottenThrough = beginning;

  constructor(known: readonly KnownRequest[] = [], ruled?: RuledRequests, keepRuled = latestRuled) {
    for (const [id, revision, at] of known) this.#known.set(id, { revision, at });
    this.#latestRuled = keepRuled;
    if (ruled === undefined) return;
    for (const [id, revision, position] of ruled.known) this.#ruled.set(id, { revision, position });
    this.#forgottenThrough = ruled.forgottenThrough;
  }

  get size(): number {
    return this.#known.size + this.#ruled.size;
  }

  /** About how many bytes of memory they take. */
  get bytes(): number {
    return bytesOfNone + this.size * bytesOfOne;
  }

  /** Every request by rule that recorded something after this position is known; of those before, some are forgotten. */
  get forgottenThrough(): number {
    return this.#forgottenThrough;
  }

  /** `position`: of its event, or of a later one. */
  noteRuled(id: string, revision: number, position: number): void {
    // Another load has read it before.
    if (position <= this.#forgottenThrough) return;
    this.#ruled.set(inOnePiece(id), { revision, position });
    if (this.#ruled.size <= this.#latestRuled) return;
    const [oldest] = this.#ruled;
    this.#ruled.delete(oldest![0]);
    this.#forgottenThrough = oldest![1].position;
  }

  /** If a request has several events, the revision of the last and the time of the first count. */
  note(id: string, revision: number, at: number): void {
    const before = this.#known.get(id);
    this.#known.set(inOnePiece(id), { revision, at: before?.at ?? at });
    if (before !== undefined) return;
    this.#earliest?.add(at);
    for (const [oldest, { at: then }] of this.#known) {
      if (this.#known.size <= atLeast || at - then <= promised) return;
      this.#earliest ??= this.#timesOfLatest();
      if (this.#earliest.first - then <= promised) return;
      this.#known.delete(oldest);
    }
  }

  /** The revision of a request's last event; `undefined`: it recorded none here, or is forgotten. */
  revisionOf(id: string): number | undefined {
    return (this.#known.get(id) ?? this.#ruled.get(id))?.revision;
  }

  /** The requests by rule up to a revision; `undefined`: there never were any. */
  ruledUpTo(last: number): RuledRequests | undefined {
    if (this.#ruled.size === 0) return undefined;
    const known: RuledRequest[] = [];
    for (const [id, { revision, position }] of this.#ruled) {
      if (revision <= last) known.push([id, revision, position]);
    }
    return { known, forgottenThrough: this.#forgottenThrough };
  }

  /** The requests up to a revision, in the order in which they came. */
  upTo(last: number): readonly KnownRequest[] {
    const those: KnownRequest[] = [];
    for (const [id, { revision, at }] of this.#known) if (revision <= last) those.push([id, revision, at]);
    return those;
  }

  #timesOfLatest(): Times {
    const times = new Times();
    for (const { at } of [...this.#known.values()].slice(-atLeast)) times.add(at);
    return times;
  }
}

/**
 * The same text. V8 keeps one that was put together as a tree of its parts, five times as large, until it is asked for a
 * character of it.
 */
function inOnePiece(text: string): string {
  text.charCodeAt(0);
  return text;
}

/** The earliest of the latest thousand times, at the price of each coming and going once. */
class Times {
  /**
   * Times that may yet become the earliest, each later than the one before it, with their number in order of coming.
   */
  readonly #rising: { readonly at: number; readonly nth: number }[] = [];
  #count = 0;

  get first(): number {
    return this.#rising[0]!.at;
  }

  add(at: number): void {
    while (this.#rising.length > 0 && this.#rising.at(-1)!.at >= at) this.#rising.pop();
    this.#count += 1;
    this.#rising.push({ at, nth: this.#count });
    if (this.#rising[0]!.nth <= this.#count - atLeast) this.#rising.shift();
  }
}
