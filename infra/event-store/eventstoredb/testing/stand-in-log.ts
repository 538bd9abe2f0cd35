import { randomUUID } from 'node:crypto';

/** A record as whoever writes it gives it. */
export interface StandInEvent {
  /** A UUID. */
  readonly id: string;
  readonly type: string;
  readonly contentType?: string;
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
}

/** A record of the log. */
export interface StandInRecord extends StandInEvent {
  /** Byte offset: rises, with gaps. */
  readonly position: number;
  readonly stream: string;
  /** `lastRevision` for the record of a tombstone. */
  readonly revision: bigint;
  /** Milliseconds since 1970. */
  readonly created: number;
  /** Which append it came with. */
  readonly append: number;
}

/** What an append expects its stream to be at. */
export type Expected = bigint | 'any' | 'no-stream' | 'stream-exists';

export type AppendOutcome =
  /** `position` is missing where the original of a repeat lies in a part that was cut off. */
  | { readonly result: 'success'; readonly revision: bigint; readonly position: number | undefined }
  /** `current` is missing where the stream has no events. */
  | { readonly result: 'wrong-revision'; readonly current: bigint | undefined }
  | { readonly result: 'stream-deleted' };

export type StreamRead = readonly StandInRecord[] | 'stream-not-found' | 'stream-deleted';

/** The largest revision there can be: of the record of a tombstone, and what a soft-deleted stream is truncated before. */
export const lastRevision = 9_223_372_036_854_775_807n;

interface StreamMetadata {
  readonly truncateBefore: bigint;
  readonly maxCount: number;
  readonly maxAgeMs: number;
}

/**
 * The log of a stand-in for EventStoreDB: what becomes of appends, reads, metadata, deletions and scavenges in 23.10, as
 * it was seen to behave. It knows nothing of how a client speaks to it.
 */
export class StandInLog {
  readonly #records: StandInRecord[] = [];
  /** Where records are, or were before they were scavenged. */
  readonly #positions = new Set<number>();
  /** All records of a stream, also those that were cut off: revision n is at n, a tombstone at the end. */
  readonly #streams = new Map<string, StandInRecord[]>();
  readonly #listeners = new Set<(record: StandInRecord) => void>();
  #appends = 0;
  #lastPosition = 1_000;
  #areProjectionsOn = false;

  /** A log of its own with the same records, as another node has them. */
  copy(): StandInLog {
    const copy = new StandInLog();
    copy.#records.push(...this.#records);
    for (const position of this.#positions) copy.#positions.add(position);
    for (const [stream, records] of this.#streams) copy.#streams.set(stream, [...records]);
    copy.#appends = this.#appends;
    copy.#lastPosition = this.#lastPosition;
    copy.#areProjectionsOn = this.#areProjectionsOn;
    return copy;
  }

  /** All records, in the order of the log. */
  get records(): readonly StandInRecord[] {
    return this.#records;
  }

  /** Puts records that another had into a log that has none, as they were. */
  load(records: readonly StandInRecord[]): void {
    for (const record of records) {
      const present = this.#streams.get(record.stream) ?? [];
      this.#streams.set(record.stream, present);
      this.#records.push(record);
      this.#positions.add(record.position);
      // What was scavenged leaves its place.
      present[record.revision === lastRevision ? present.length : Number(record.revision)] = record;
      this.#appends = Math.max(this.#appends, record.append);
      this.#lastPosition = record.position;
    }
  }

  /** How many records there are. */
  get size(): number {
    return this.#records.length;
  }

  /** Called with every record that is written from now on, until what it returns is called. */
  listen(listener: (record: StandInRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  append(stream: string, expected: Expected, events: readonly StandInEvent[]): AppendOutcome {
    const present = this.#streams.get(stream) ?? [];
    if (isTombstoned(present)) return { result: 'stream-deleted' };
    const current = BigInt(present.length) - 1n;
    const isSoftDeleted = this.#isSoftDeleted(stream);
    if (!isMet(expected, current) && !(expected === 'no-stream' && isSoftDeleted)) {
      return this.#repeated(stream, expected, events) ?? wrongRevision(current);
    }
    if (expected === 'no-stream' && current >= 0n) {
      const again = this.#repeated(stream, expected, events);
      if (again !== undefined) return again;
    }
    if (events.length === 0) return { result: 'success', revision: current, position: undefined };
    this.#appends += 1;
    const written = events.map((event) => this.#write(stream, event, this.#appends));
    // Whoever appends to a soft-deleted stream has it back, from there on.
    if (isSoftDeleted) this.#setMetadata(stream, { $tb: current + 1n });
    const last = written.at(-1)!;
    return { result: 'success', revision: last.revision, position: last.position };
  }

  /** Soft-deletes a stream: it is truncated before the largest revision there can be. */
  delete(stream: string, expected: Expected): AppendOutcome {
    const present = this.#streams.get(stream) ?? [];
    if (isTombstoned(present)) return { result: 'stream-deleted' };
    const current = BigInt(present.length) - 1n;
    if (!isMet(expected, current) && expected !== 'any') return wrongRevision(current);
    const { position } = this.#setMetadata(stream, { $tb: lastRevision });
    return { result: 'success', revision: lastRevision, position };
  }

  tombstone(stream: string, expected: Expected): AppendOutcome {
    const present = this.#streams.get(stream) ?? [];
    if (isTombstoned(present)) return { result: 'stream-deleted' };
    const current = BigInt(present.length) - 1n;
    if (!isMet(expected, current) && expected !== 'any') return wrongRevision(current);
    const event = { id: randomUUID(), type: '$streamDeleted', metadata: Buffer.from(''), data: Buffer.from('{}') };
    const { position } = this.#write(stream, event, (this.#appends += 1), lastRevision);
    return { result: 'success', revision: lastRevision, position };
  }

  /** `from` is inclusive; `undefined`: from the beginning, or backwards from the end. */
  readStream(stream: string, from: bigint | undefined, count: number, isForwards: boolean): StreamRead {
    const present = this.#streams.get(stream);
    if (present !== undefined && isTombstoned(present)) return 'stream-deleted';
    if (present === undefined || this.#isSoftDeleted(stream)) return 'stream-not-found';
    const left = this.#left(stream, present);
    const found = isForwards
      ? left.filter(({ revision }) => revision >= (from ?? 0n))
      : left.filter(({ revision }) => revision <= (from ?? lastRevision)).reverse();
    return found.slice(0, count);
  }

  /**
   * `from` is inclusive; `undefined`: from the beginning, or backwards from the end. Refused from where no record begins
   * or began; forwards from beyond the end nothing is found.
   */
  readAll(
    from: number | undefined,
    count: number,
    isForwards: boolean,
    isWanted: (record: StandInRecord) => boolean,
  ): readonly StandInRecord[] | 'refused' {
    if (from !== undefined && !(isForwards && from > this.#lastPosition) && !this.#positions.has(from))
      return 'refused';
    const step = isForwards ? 1 : -1;
    const start = isForwards ? this.#indexOf(from ?? 0) : this.#indexOf((from ?? this.#lastPosition) + 1) - 1;
    const found: StandInRecord[] = [];
    for (let index = start; found.length < count; index += step) {
      const record = this.#records[index];
      if (record === undefined) break;
      if (isWanted(record)) found.push(record);
    }
    return found;
  }

  /**
   * What a subscription to all begins with. `after` is exclusive, and where the record there was scavenged the server
   * takes the next one for it.
   */
  recordsAfter(after: number | undefined): readonly StandInRecord[] | 'refused' {
    if (after === undefined) return this.#records.slice();
    if (after <= this.#lastPosition && !this.#positions.has(after)) return 'refused';
    return this.#records.slice(this.#indexOf(after) + 1);
  }

  /** Writes records as another program or the server itself does. */
  writeMany(stream: string, type: string, count: number, metadata: string, data: string): void {
    const event = { type, metadata: Buffer.from(metadata), data: Buffer.from(data) };
    for (let index = 0; index < count; index += 1) this.#write(stream, { id: randomUUID(), ...event }, this.#appends);
  }

  /** Turns the standard projections on: from now on three to five links follow each event. */
  project(): void {
    this.#areProjectionsOn = true;
  }

  /**
   * Takes out of the log what was truncated or deleted. Of each stream its last event stays, of a tombstoned one the
   * tombstone alone. Positions and revisions of what stays are as they were.
   */
  scavenge(): void {
    const kept = this.#records.filter((record) => this.#isKept(record));
    this.#records.splice(0, Infinity, ...kept);
  }

  /** Puts the log back to where it had so many records, as a backup that is restored does. */
  restoreTo(size: number): void {
    for (const { position, stream } of this.#records.splice(size)) {
      this.#positions.delete(position);
      this.#streams.get(stream)?.pop();
      if (this.#streams.get(stream)?.length === 0) this.#streams.delete(stream);
    }
    this.#lastPosition = this.#records.at(-1)?.position ?? 1_000;
  }

  #write(stream: string, event: StandInEvent, append: number, at?: bigint): StandInRecord {
    const present = this.#streams.get(stream) ?? [];
    const position = this.#lastPosition + 100 + event.data.length;
    const revision = at ?? BigInt(present.length);
    const record = { ...event, position, stream, revision, created: Date.now(), append };
    this.#lastPosition = position;
    this.#positions.add(position);
    this.#records.push(record);
    present.push(record);
    this.#streams.set(stream, present);
    for (const listener of this.#listeners) listener(record);
    if (this.#areProjectionsOn && !stream.startsWith('$')) this.#link(record);
    return record;
  }

  /** What the standard projections write: by category, by type, by correlation, and of a stream's first event two more. */
  #link({ stream, revision, type, metadata }: StandInRecord): void {
    const category = stream.slice(0, stream.lastIndexOf('-')) || stream;
    const correlationId = /"\$correlationId":"([^"]*)"/.exec(Buffer.from(metadata).toString('utf8'))?.[1];
    const targets = [`$ce-${category}`, `$et-${type}`, `$bc-${correlationId ?? 'none'}`];
    if (revision === 0n) targets.push('$streams', `$category-${category}`);
    const data = Buffer.from(`${revision}@${stream}`);
    for (const target of targets) {
      this.#write(
        target,
        { id: randomUUID(), type: '$>', contentType: 'application/octet-stream', metadata: Buffer.from('{}'), data },
        0,
      );
    }
  }

  #setMetadata(stream: string, changes: { readonly $tb: bigint }): StandInRecord {
    const before = this.#streams.get(`$$${stream}`)?.at(-1);
    const { $tb: _, ...kept } =
      before === undefined ? {} : (JSON.parse(textOf(before.data)) as Record<string, unknown>);
    // A JSON number has no bound, but one of JavaScript has.
    const members = [
      ...Object.entries(kept).map(([name, value]) => `"${name}":${JSON.stringify(value)}`),
      `"$tb":${changes.$tb}`,
    ];
    const event = {
      id: randomUUID(),
      type: '$metadata',
      metadata: Buffer.from(''),
      data: Buffer.from(`{${members.join(',')}}`),
    };
    return this.#write(`$$${stream}`, event, (this.#appends += 1));
  }

  #metadataOf(stream: string): StreamMetadata {
    // Of the streams that hold metadata the last record counts.
    if (stream.startsWith('$$')) return { truncateBefore: 0n, maxCount: 1, maxAgeMs: Infinity };
    const record = this.#streams.get(`$$${stream}`)?.at(-1);
    const said = record === undefined ? '{}' : textOf(record.data);
    const numberIn = (name: string) => new RegExp(`"\\$${name}"\\s*:\\s*(\\d+)`).exec(said)?.[1];
    return {
      truncateBefore: BigInt(numberIn('tb') ?? 0),
      maxCount: Number(numberIn('maxCount') ?? Infinity),
      maxAgeMs: Number(numberIn('maxAge') ?? Infinity) * 1_000,
    };
  }

  #isSoftDeleted(stream: string): boolean {
    // As a number, since a client can only say about as much.
    return Number(this.#metadataOf(stream).truncateBefore) >= Number(lastRevision);
  }

  /** What is left of a stream. */
  #left(stream: string, present: readonly StandInRecord[]): readonly StandInRecord[] {
    const { truncateBefore, maxCount, maxAgeMs } = this.#metadataOf(stream);
    const oldest = Date.now() - maxAgeMs;
    return present
      .slice(Math.max(0, present.length - maxCount))
      .filter(({ revision, created }) => revision >= truncateBefore && created >= oldest);
  }

  #isKept(record: StandInRecord): boolean {
    const present = this.#streams.get(record.stream)!;
    const original = this.#streams.get(record.stream.slice(2));
    if (record.stream.startsWith('$$') && original !== undefined && isTombstoned(original)) return false;
    return record === present.at(-1) || (!isTombstoned(present) && this.#left(record.stream, present).includes(record));
  }

  /** The answer to the same events again, or to the first of them; the last ones of an append alone are refused. */
  #repeated(stream: string, expected: Expected, events: readonly StandInEvent[]): AppendOutcome | undefined {
    if (typeof expected === 'string' && expected !== 'no-stream') return undefined;
    const present = this.#streams.get(stream) ?? [];
    const before = expected === 'no-stream' ? -1 : Number(expected);
    const there = present.slice(before + 1, before + 1 + events.length);
    const isRepeat = there.length > 0 && events.every(({ id }, index) => there[index]?.id === id);
    const isTail = present[before] !== undefined && present[before].append === there[0]?.append;
    const last = there.at(-1);
    if (!isRepeat || isTail || last === undefined) return undefined;
    const isLeft = !this.#isSoftDeleted(stream) && this.#left(stream, present).includes(last);
    return { result: 'success', revision: last.revision, position: isLeft ? last.position : undefined };
  }

  /** Index of the first record at a position or after it. */
  #indexOf(position: number): number {
    let [low, high] = [0, this.#records.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#records[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isTombstoned(records: readonly StandInRecord[]): boolean {
  return records.at(-1)?.revision === lastRevision;
}

function isMet(expected: Expected, current: bigint): boolean {
  if (expected === 'any') return true;
  if (expected === 'stream-exists') return current >= 0n;
  return expected === 'no-stream' ? current === -1n : expected === current;
}

function wrongRevision(current: bigint): AppendOutcome {
  return { result: 'wrong-revision', current: current === -1n ? undefined : current };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
