import { LRUCache } from 'lru-cache';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { NewEvent, RecordedEvent, RequestMark } from '@waybill/shared-kernel/message.js';
import { beginning, noStream, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName, type Category } from '@waybill/shared-kernel/stream.js';
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
  readonly revision: number;
  readonly position: number;
}

const pageSize = 1000;

export interface AggregateStreamsOptions {
  /** How many aggregates are kept folded. 10,000 unless said otherwise. */
  readonly keep?: number;
  /** Used where the decider's states may be kept as snapshots. */
  readonly snapshots?: AggregateSnapshots | undefined;
}

/**
 * The aggregates of one category, loaded from their streams and appended to. What was folded is kept for those used
 * last, and brought up to date by reading only what came after it, so other writers do no harm. One that is not kept
 * begins from its snapshot, if there is one that the log agrees with.
 */
export class AggregateStreams<Command, State, Event extends DomainEvent> {
  readonly #store: Pick<EventStore, 'append' | 'readStream'>;
  readonly #kept: LRUCache<string, Loaded<State>>;
  readonly #snapshots: { readonly of: AggregateSnapshots; readonly version: number } | undefined;

  constructor(
    store: Pick<EventStore, 'append' | 'readStream'>,
    readonly category: Category,
    readonly decider: Decider<Command, State, Event>,
    { keep = 10_000, snapshots }: AggregateStreamsOptions = {},
  ) {
    this.#store = store;
    this.#kept = new LRUCache({ max: keep });
    const version = decider.stateVersion;
    this.#snapshots = snapshots === undefined || version === undefined ? undefined : { of: snapshots, version };
  }

  streamOf(id: string): string {
    return streamName(this.category, id);
  }

  /** As it stands now. */
  async load(id: string): Promise<Loaded<State>> {
    const seen = this.lastSeen(id);
    const loaded = seen === undefined ? await this.#loadAnew(id) : await this.#foldOn(id, seen);
    if (loaded !== seen) this.#keep(id, loaded);
    return loaded;
  }

  /** As this process saw it last, which may be long ago; `undefined` when it never did or no longer knows. */
  lastSeen(id: string): Loaded<State> | undefined {
    return this.#kept.get(id);
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
    return { mark: event.request, revision: event.revision, position: event.position };
  }

  /** The first of its events, in order, that is so; all are read until there is one. */
  async find(id: string, isSo: (event: KnownEvent) => boolean): Promise<KnownEvent | undefined> {
    for await (const recorded of readWholeStream(this.#store, this.streamOf(id))) {
      const event = upcast(recorded);
      if (isSo(event)) return event;
    }
    return undefined;
  }

  /**
   * Appends to the aggregate as it was loaded. Rejects with `WrongExpectedRevision` when it has moved on; where these
   * very events are what it moved on by, that is no conflict (see the port).
   */
  async append(id: string, to: Loaded<State>, events: readonly NewEvent[]): Promise<Loaded<State>> {
    const { revision, position } = await this.#store.append(this.streamOf(id), to.revision, events);
    let { state } = to;
    const first = revision - events.length + 1;
    // A new event has the current version of its shape: nothing to upcast.
    for (const [index, event] of events.entries()) {
      state = this.decider.evolve(state, event as NewEvent & Event);
      note(to.requests, event, first + index);
    }
    const loaded = this.#withSnapshot(id, { ...to, state, revision, position }, events);
    this.#keep(id, loaded);
    return loaded;
  }

  /** An aggregate without events. */
  unwritten(): Loaded<State> {
    const { initialState: state } = this.decider;
    return { state, revision: noStream, position: beginning, requests: new KnownRequests(), snapshotAt: noStream };
  }

  async #loadAnew(id: string, upTo = Infinity): Promise<Loaded<State>> {
    const stream = this.streamOf(id);
    const snapshot = await this.#snapshots?.of.find<State>(stream, this.#snapshots.version);
    if (snapshot === undefined || snapshot.revision > upTo) return this.#foldOn(id, this.unwritten(), upTo);
    // The event that the snapshot ends with comes first, and bears it out.
    const page = await this.#store.readStream(stream, snapshot.revision, pageSize);
    if (page[0]?.id === snapshot.eventId) return this.#foldOn(id, restored(snapshot, page[0]), upTo, page);
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
    } while (true);
  }

  /** Has a snapshot taken of what was appended, when one is due. */
  #withSnapshot(id: string, loaded: Loaded<State>, events: readonly NewEvent[]): Loaded<State> {
    const { state, revision, requests, snapshotAt } = loaded;
    const eventId = events.at(-1)?.id;
    if (this.#snapshots === undefined || eventId === undefined) return loaded;
    const { of, version } = this.#snapshots;
    if (!of.isDue(revision, snapshotAt, requests.size)) return loaded;
    of.save(this.streamOf(id), version, () => ({ revision, eventId, state, requests: requests.upTo(revision) }));
    return { ...loaded, snapshotAt: revision };
  }

  #keep(id: string, loaded: Loaded<State>): void {
    if ((this.#kept.peek(id)?.revision ?? noStream) < loaded.revision) this.#kept.set(id, loaded);
  }

  #fold(before: Loaded<State>, event: KnownEvent): Loaded<State> {
    const { revision, position } = event;
    note(before.requests, event, revision);
    // A stream holds the events of its category and no others.
    const state = this.decider.evolve(before.state, event as KnownEvent & Event);
    return { ...before, state, revision, position };
  }
}

function restored<State>({ revision, state, requests }: Snapshot<State>, { position }: RecordedEvent): Loaded<State> {
  return { state, revision, position, requests: new KnownRequests(requests), snapshotAt: revision };
}

function note(
  requests: KnownRequests,
  { request, occurredAt }: Pick<NewEvent, 'request' | 'occurredAt'>,
  revision: number,
): void {
  if (request !== undefined) requests.note(request.id, revision, Date.parse(occurredAt));
}
