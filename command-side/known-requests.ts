/** A request that recorded events in a stream: its id, the revision of the last of them, and when, milliseconds. */
export type KnownRequest = readonly [id: string, revision: number, at: number];

/** How long a request is known whatever came since, milliseconds: the contract's promise to clients. */
const promised = 24 * 60 * 60 * 1000;

/** How many of the latest are known however long ago they were. */
const atLeast = 1_000;

/**
 * Which requests recorded events in a stream, and where. A request is forgotten once it is a day older than the latest
 * and a thousand came after it: so it depends on the stream alone, and a snapshot that carries this stays small.
 */
export class KnownRequests {
  /** In the order in which they came. */
  readonly #known = new Map<string, { readonly revision: number; readonly at: number }>();

  constructor(known: readonly KnownRequest[] = []) {
    for (const [id, revision, at] of known) this.#known.set(id, { revision, at });
  }

  get size(): number {
    return this.#known.size;
  }

  /** Of several events of one request the last counts. */
  note(id: string, revision: number, at: number): void {
    this.#known.set(id, { revision, at });
    for (const [oldest, { at: then }] of this.#known) {
      if (this.#known.size <= atLeast || at - then <= promised) return;
      this.#known.delete(oldest);
    }
  }

  /** Where the last event of a request stands; `undefined`: it recorded none here, or is forgotten. */
  revisionOf(id: string): number | undefined {
    return this.#known.get(id)?.revision;
  }

  /** Those whose events stand up to a revision, in the order in which they came. */
  upTo(last: number): readonly KnownRequest[] {
    const those: KnownRequest[] = [];
    for (const [id, { revision, at }] of this.#known) if (revision <= last) those.push([id, revision, at]);
    return those;
  }
}
