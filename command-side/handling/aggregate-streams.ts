import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { isByRule, type NewEvent, type RecordedEvent, type RequestMark } from '@waybill/shared-kernel/message.js';
import { beginning, noStream, type Appender, type StreamReader } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { requireWhole } from '@waybill/shared-kernel/stream-faults.js';
import { parseStream, streamName, type Category } from '@waybill/shared-kernel/stream.js';
import { approximateBytes } from './approximate-bytes.js';
import { appendSurely } from './append-surely.js';
import type { LiveLook } from './live-look.js';
import { KnownRequests } from './known-requests.js';
import type { AggregateSnapshots } from './snapshots/aggregate-snapshots.js';
import type { Snapshot } from './snapshots/snapshot.js';

/** An aggregate as its stream stood at one revision. What comes later is another. */
export interface Loaded<State> {
  readonly state: State;
  /** −1: it has no events. */
  readonly revision: number;
  /** Of its last event. */
  readonly position: number;
  /** Of its last event, by which a later look tells that the log is still the one that it was loaded from. */
  readonly eventId: string | undefined;
  /** When its last event happened: none that follows happens before. `undefined`: it has none. */
  readonly occurredAt: string | undefined;
  /**
   * The requests that recorded events here. The same for all revisions of a stream, so it may know of requests that are
   * newer than this revision: what the log says of a request never changes.
   */
  readonly requests: KnownRequests;
  /** Revision of the last snapshot that this process knows of; −1: of none. */
  readonly snapshotAt: number;
}

/** Where the last event of a request stands. */
export interface RecordedRequest {
  readonly mark: RequestMark;
  /** In which its caller acted. */
  readonly role: string | undefined;
  readonly revision: number;
  readonly position: number;
}

const pageSize = 1000;

const keptBytes = 64 * 1024 * 1024;

export type AggregateLog = Appender & StreamReader;

export interface AggregateStreamsOptions {
  /** How many aggregates are kept folded. 10,000 unless said otherwise. */
  readonly keep?: number;
  /** Bytes of memory that they may take together, about. 64 MiB unless said otherwise. */
  readonly keepBytes?: number;
  /** Used where the decider's states may be kept as snapshots. */
  readonly snapshots?: AggregateSnapshots | undefined;
  /** How many of an aggregate's requests by rule are known without the log. */
  readonly keepRuled?: number;
  /** By which it is known without reading a stream that it has not grown. */
  readonly look?: LiveLook | undefined;
}

/**
 * The aggregates of one category, loaded from their streams and appended to. What was folded is kept for those used
 * last, and brought up to date by reading its last event and what came after it: other writers do no harm, nor does an
 * older log that is restored meanwhile. One that is not kept begins from its snapshot, if there is one that the log agrees
 * with. Where events of a stream are gone, one whose state is known, and borne out by its last event, is still loaded; of
 * all others loading rejects with `StreamCut`.
 */
export class AggregateStreams<Command, State, Event extends DomainEvent> {
  readonly #store: AggregateLog;
  readonly #keepRuled: number | undefined;
  readonly #kept: LRUCache<string, Loaded<State>>;
  readonly #look: LiveLook | undefined;
  readonly #leaveLook: (() => void) | undefined;
  /**
   * The last revision of streams, as of the live look: of each the greatest of what was read, appended, and met by the look
   * since an entry is there, which it is before the stream is read. So an event is in one of them, whichever comes first.
   */
  readonly #tips: LRUCache<string, { revision: number }>;
  readonly #snapshots: { readonly of: AggregateSnapshots; readonly version: number } | undefined;

  constructor(
    store: AggregateLog,
    readonly category: Category,
    readonly decider: Decider<Command, State, Event>,
    { keep = 10_000, keepBytes = keptBytes, snapshots, keepRuled, look }: AggregateStreamsOptions = {},
  ) {
    this.#store = store;
    this.#keepRuled = keepRuled;
    this.#kept = new LRUCache({ max: keep, maxSize: keepBytes, sizeCalculation: (loaded) => bytesOf(loaded) });
    this.#tips = new LRUCache({ max: keep });
    this.#look = look;
    this.#leaveLook = look?.follow({
      category,
      see: (event) => this.#meet(event),
      doubt: (stream) => this.#tips.delete(parseStream(stream).id),
      // What is kept may be of the log that was there before.
      begin: () => {
        this.#tips.clear();
        this.#kept.clear();
      },
    });
    const version = decider.stateVersion;
    this.#snapshots = snapshots === undefined || version === undefined ? undefined : { of: snapshots, version };
  }

  /** Is told nothing more by the live look: to be called when others take its place. */
  leave(): void {
    this.#leaveLook?.();
  }

  streamOf(id: string): string {
    return streamName(this.category, id);
  }

  /** As it stands now. */
  async load(id: string): Promise<Loaded<State>> {
    const tip = this.#tipOf(id);
    const seen = this.lastSeen(id);
    const goneOn = seen === undefined ? undefined : await this.#goOn(id, seen);
    if (goneOn === undefined) this.forget(id);
    const loaded = goneOn ?? (await this.#loadAnew(id));
    if (loaded !== seen) this.#keep(id, loaded);
    raise(tip, loaded.revision);
    this.#noteLast(loaded);
    return loaded;
  }

  /** The same of one that is only looked at: as the live look shows it, a moment old, or else as its stream stands. */
  async lookUp(id: string, position?: number): Promise<Loaded<State>> {
    return (await this.shown(id, position)) ?? this.loadExpected(id);
  }

  /**
   * As the live look shows it, which has come to this position of the log, or else is a moment old. `undefined`: it does not
   * tell, or there is none.
   */
  async shown(id: string, position?: number): Promise<Loaded<State> | undefined> {
    const look = this.#look;
    if (look === undefined) return undefined;
    const hasLooked = await (position === undefined ? look.isFresh() : look.reaches(position));
    const seen = this.lastSeen(id);
    return hasLooked && this.#tips.get(id)?.revision === seen?.revision ? seen : undefined;
  }

  /** The same of one that is expected to be there: rejects with `StreamCut` also where nothing is left of it. */
  async loadExpected(id: string): Promise<Loaded<State>> {
    const loaded = await this.load(id);
    if (loaded.revision === noStream) await this.requireNeverWas(id);
    return loaded;
  }

  /** As this process saw it last, which may be long ago; `undefined` when it never did or no longer knows. */
  lastSeen(id: string): Loaded<State> | undefined {
    return this.#kept.get(id);
  }

  /** Throws `StreamCut` where it had events and has none any more: to be asked before it is said that there is none. */
  async requireNeverWas(id: string): Promise<void> {
    await requireWhole(this.#store, this.streamOf(id));
  }

  /** Whether it has any event. */
  async has(id: string): Promise<boolean> {
    return (await this.#store.readStream(this.streamOf(id), 0, 1)).length > 0;
  }

  /** Has it loaded anew the next time: it is not certain that what is known of it is what the log has. */
  forget(id: string): void {
    this.#kept.delete(id);
  }

  /** Takes an event that was read elsewhere, where it is the one that comes next. */
  see(id: string, event: KnownEvent): void {
    const seen = this.lastSeen(id) ?? this.unwritten();
    if (event.revision === seen.revision + 1) this.#keep(id, this.#fold(seen, event));
  }

  /** The state as it was at a revision that the stream has reached. */
  async stateAt(id: string, revision: number): Promise<State> {
    return (await this.#loadAnew(id, revision)).state;
  }

  /** A request that recorded events in an aggregate as it was loaded; `undefined`: it recorded none, or is forgotten. */
  async recorded(id: string, { requests }: Loaded<State>, requestId: string): Promise<RecordedRequest | undefined> {
    const at = requests.revisionOf(requestId);
    if (at === undefined) return undefined;
    const stream = this.streamOf(id);
    const [event] = await this.#store.readStream(stream, at, 1);
    if (event?.request?.id !== requestId) throw new Error(`${stream} has nothing of request ${requestId} at ${at}.`);
    const { request: mark, actor, revision, position } = event;
    return { mark, role: actor?.role, revision, position };
  }

  /** The first of its events, in order, that is so; all are read until there is one. */
  async find(id: string, isSo: (event: KnownEvent) => boolean): Promise<KnownEvent | undefined> {
    for await (const event of this.eventsOf(id, 0)) if (isSo(event)) return event;
    return undefined;
  }

  /**
   * Which of these requests recorded something in its stream behind one position of the log and up to another. All that
   * stands between is read, page by page.
   */
  async recordedBetween(
    id: string,
    { revision }: Loaded<State>,
    requestIds: readonly string[],
    after: number,
    upTo: number,
  ): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    for await (const { position, request } of this.eventsOf(id, await this.#firstAfter(id, after, revision))) {
      if (position > upTo) break;
      if (request !== undefined && requestIds.includes(request.id)) found.add(request.id);
    }
    return found;
  }

  /** The first revision behind a position of the log, found by halves; `last` where there is none up to that. */
  async #firstAfter(id: string, position: number, last: number): Promise<number> {
    let [from, to] = [0, last];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const [event] = await this.#store.readStream(this.streamOf(id), middle, 1);
      if (event !== undefined && event.position <= position) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Its events from a revision on. */
  async *eventsOf(id: string, from: number): AsyncGenerator<KnownEvent, void, undefined> {
    for await (const recorded of readWholeStream(this.#store, this.streamOf(id), from)) yield upcast(recorded);
  }

  /**
   * Appends events whose ids are theirs alone to the aggregate as it was loaded; what would have happened before its last
   * event happened with it. Rejects with `WrongExpectedRevision` when it has moved on.
   */
  async append(id: string, to: Loaded<State>, happened: readonly NewEvent[]): Promise<Loaded<State>> {
    const events = inTurn(happened, to);
    const tip = this.#tipOf(id);
    const { revision, position } = await appendSurely(this.#store, this.streamOf(id), to.revision, events);
    raise(tip, revision);
    let { state } = to;
    const first = revision - events.length + 1;
    // A new event has the current version of its shape: nothing to upcast.
    for (const [index, event] of events.entries()) {
      state = this.decider.evolve(state, event as NewEvent & Event);
      note(to.requests, event, first + index, position);
    }
    const { id: eventId, occurredAt } = events.at(-1) ?? { id: to.eventId, occurredAt: to.occurredAt };
    const loaded = this.#withSnapshot(id, { ...to, state, revision, position, eventId, occurredAt }, events);
    this.#keep(id, loaded);
    this.#noteLast(loaded);
    return loaded;
  }

  /** The look must come by it too. */
  #noteLast({ eventId, position }: Loaded<State>): void {
    if (eventId !== undefined) this.#look?.note({ id: eventId, position });
  }

  /**
   * Appends events whose ids are made by rule. Others may append the same ids with other content at the same moment, and
   * the store takes whoever is second for the first coming again (see the port). So nothing is known of it from here: the
   * aggregate is as the log says, when it is loaded again.
   */
  async appendByRule(id: string, to: Loaded<State>, happened: readonly NewEvent[]): Promise<void> {
    const events = inTurn(happened, to);
    const tip = this.#tipOf(id);
    const { revision } = await appendSurely(this.#store, this.streamOf(id), to.revision, events);
    raise(tip, revision);
    if (this.#snapshots?.of.isDue(revision, to.snapshotAt, to.requests.size) !== true) return;
    const loaded = await this.load(id);
    if (loaded.revision === revision) this.#kept.set(id, this.#withSnapshot(id, loaded, events));
  }

  /** An aggregate without events. */
  unwritten(): Loaded<State> {
    const { initialState: state } = this.decider;
    const requests = new KnownRequests([], undefined, this.#keepRuled);
    const [revision, snapshotAt] = [noStream, noStream];
    const [eventId, occurredAt] = [undefined, undefined];
    return { state, revision, position: beginning, eventId, occurredAt, requests, snapshotAt };
  }

  /** An event that the live look met. */
  #meet(event: RecordedEvent): void {
    const { id } = parseStream(event.stream);
    raise(this.#tips.peek(id), event.revision);
    const seen = this.#kept.peek(id);
    if (seen === undefined || event.revision !== seen.revision + 1) return;
    try {
      this.#keep(id, this.#fold(seen, upcast(event)));
    } catch {
      // Whoever loads it meets the same, and says so.
    }
  }

  /** There before its stream is read or appended to. `undefined`: there is no live look. */
  #tipOf(id: string): { revision: number } | undefined {
    if (this.#look?.through === undefined) return undefined;
    const tip = this.#tips.get(id) ?? { revision: unknown };
    this.#tips.set(id, tip);
    return tip;
  }

  /** Folds what came since on what is kept. `undefined`: the log has another event where that ends, or none. */
  async #goOn(id: string, kept: Loaded<State>): Promise<Loaded<State> | undefined> {
    if (kept.revision === noStream) return this.#foldOn(id, kept);
    // The event that it ends with comes first, and bears it out.
    const page = await this.#store.readStream(this.streamOf(id), kept.revision, pageSize);
    if (page.length === 0) await requireWhole(this.#store, this.streamOf(id));
    return page[0]?.id === kept.eventId ? this.#foldOn(id, kept, Infinity, page) : undefined;
  }

  async #loadAnew(id: string, upTo = Infinity): Promise<Loaded<State>> {
    const stream = this.streamOf(id);
    const snapshot = await this.#snapshots?.of.find<State>(stream, this.#snapshots.version);
    if (snapshot === undefined || snapshot.revision > upTo) return this.#foldOn(id, this.unwritten(), upTo);
    // The event that the snapshot ends with comes first, and bears it out.
    const page = await this.#store.readStream(stream, snapshot.revision, pageSize);
    if (page.length === 0) await requireWhole(this.#store, stream);
    if (page[0]?.id === snapshot.eventId) return this.#foldOn(id, this.#restored(snapshot, page[0]), upTo, page);
    const why =
      page.length === 0 ? `the stream ends before revision ${snapshot.revision}` : 'the log has another event';
    this.#snapshots?.of.discard(stream, why);
    return this.#foldOn(id, this.unwritten(), upTo);
  }

  /** Folds what comes after it, `first` being the first page of that. */
  async #foldOn(
    id: string,
    loaded: Loaded<State>,
    upTo = Infinity,
    first?: readonly RecordedEvent[],
  ): Promise<Loaded<State>> {
    const stream = this.streamOf(id);
    let page = first;
    do {
      page ??= await this.#store.readStream(stream, loaded.revision + 1, pageSize);
      for (const event of page) {
        if (event.revision > upTo) return loaded;
        if (event.revision > loaded.revision) loaded = this.#fold(loaded, upcast(event));
      }
      if (page.length < pageSize) return loaded;
      page = undefined;
      await nextTurn();
    } while (true);
  }

  #restored({ revision, state, requests: known, ruled }: Snapshot<State>, last: RecordedEvent): Loaded<State> {
    const { position, id: eventId, occurredAt } = last;
    const requests = new KnownRequests(known, ruled, this.#keepRuled);
    return { state, revision, position, eventId, occurredAt, requests, snapshotAt: revision };
  }

  /** Has a snapshot taken of what was appended, when one is due. */
  #withSnapshot(id: string, loaded: Loaded<State>, events: readonly NewEvent[]): Loaded<State> {
    const { state, revision, requests, snapshotAt } = loaded;
    const eventId = events.at(-1)?.id;
    if (this.#snapshots === undefined || eventId === undefined) return loaded;
    const { of, version } = this.#snapshots;
    if (!of.isDue(revision, snapshotAt, requests.size)) return loaded;
    of.save(this.streamOf(id), version, () => ({
      revision,
      eventId,
      state,
      requests: requests.upTo(revision),
      ruled: requests.ruledUpTo(revision),
    }));
    return { ...loaded, snapshotAt: revision };
  }

  #keep(id: string, loaded: Loaded<State>): void {
    if ((this.#kept.peek(id)?.revision ?? noStream) < loaded.revision) this.#kept.set(id, loaded);
  }

  #fold(before: Loaded<State>, event: KnownEvent): Loaded<State> {
    const { revision, position, id: eventId, occurredAt } = event;
    note(before.requests, event, revision, position);
    // A stream holds the events of its category and no others.
    const state = this.decider.evolve(before.state, event as KnownEvent & Event);
    return { ...before, state, revision, position, eventId, occurredAt };
  }
}

/** Less than every revision. */
const unknown = -2;

function raise(tip: { revision: number } | undefined, revision: number): void {
  if (tip !== undefined) tip.revision = Math.max(tip.revision, revision);
}

/** About how many bytes it takes. Its requests grow with each event, so it is measured anew with each. */
function bytesOf({ state, requests }: Loaded<unknown>): number {
  return approximateBytes(state) + requests.bytes;
}

/** Events that come next in a stream, none of them before the one it follows. */
function inTurn(events: readonly NewEvent[], { occurredAt }: Pick<Loaded<unknown>, 'occurredAt'>): readonly NewEvent[] {
  let latest = occurredAt;
  return events.map((event) => {
    latest = notBefore(event.occurredAt, latest);
    return latest === event.occurredAt ? event : { ...event, occurredAt: latest };
  });
}

function note(
  requests: KnownRequests,
  { request, occurredAt }: Pick<NewEvent, 'request' | 'occurredAt'>,
  revision: number,
  position: number,
): void {
  if (request === undefined) return;
  if (isByRule(request)) requests.noteRuled(request.id, revision, position);
  else requests.note(request.id, revision, Date.parse(occurredAt));
}
