import { LRUCache } from 'lru-cache';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { upcast, type KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { NewEvent, RequestMark } from '@waybill/shared-kernel/message.js';
import { beginning, noStream, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { streamName, type Category } from '@waybill/shared-kernel/stream.js';

/** An aggregate as its stream stood at one revision. What comes later is another. */
export interface Loaded<State> {
  readonly state: State;
  /** −1: it has no events. */
  readonly revision: number;
  /** Of its last event. */
  readonly position: number;
  /**
   * The requests that recorded events here, by id. One map for all revisions of a stream, so it may know of requests
   * that are newer than this revision: what the log says of a request never changes.
   */
  readonly requests: Map<string, RecordedRequest>;
}

/** Where the last event of a request stands. */
export interface RecordedRequest {
  readonly mark: RequestMark;
  readonly revision: number;
  readonly position: number;
}

const pageSize = 1000;

/**
 * The aggregates of one category, loaded from their streams and appended to. What was folded is kept for those used
 * last, and brought up to date by reading only what came after it, so other writers do no harm.
 */
export class AggregateStreams<Command, State, Event extends DomainEvent> {
  readonly #store: Pick<EventStore, 'append' | 'readStream'>;
  readonly #kept: LRUCache<string, Loaded<State>>;

  constructor(
    store: Pick<EventStore, 'append' | 'readStream'>,
    readonly category: Category,
    readonly decider: Decider<Command, State, Event>,
    /** How many aggregates are kept folded. */
    keep = 10_000,
  ) {
    this.#store = store;
    this.#kept = new LRUCache({ max: keep });
  }

  streamOf(id: string): string {
    return streamName(this.category, id);
  }

  /** As it stands now. */
  async load(id: string): Promise<Loaded<State>> {
    const stream = this.streamOf(id);
    let loaded = this.lastSeen(id) ?? this.unwritten();
    for (;;) {
      const page = await this.#store.readStream(stream, loaded.revision + 1, pageSize);
      for (const event of page) loaded = this.#fold(loaded, upcast(event));
      if (page.length > 0) this.#keep(id, loaded);
      if (page.length < pageSize) return loaded;
    }
  }

  /** As this process saw it last, which may be long ago; `undefined` when it never did or no longer knows. */
  lastSeen(id: string): Loaded<State> | undefined {
    return this.#kept.get(id);
  }

  /** Takes an event that was read elsewhere, where it is the one that comes next. */
  see(id: string, event: KnownEvent): void {
    const seen = this.lastSeen(id) ?? this.unwritten();
    if (event.revision === seen.revision + 1) this.#keep(id, this.#fold(seen, event));
  }

  /** The state as it was at a revision that the stream has reached. */
  async stateAt(id: string, revision: number): Promise<State> {
    let loaded = this.unwritten();
    for await (const event of readWholeStream(this.#store, this.streamOf(id))) {
      if (event.revision > revision) break;
      loaded = this.#fold(loaded, upcast(event));
    }
    return loaded.state;
  }

  /**
   * Appends to the aggregate as it was loaded. Rejects with `WrongExpectedRevision` when it has moved on; where these
   * very events are what it moved on by, that is no conflict (see the port).
   */
  async append(id: string, to: Loaded<State>, events: readonly NewEvent[]): Promise<Loaded<State>> {
    const { revision, position } = await this.#store.append(this.streamOf(id), to.revision, events);
    let { state } = to;
    // A new event has the current version of its shape: nothing to upcast.
    for (const event of events) {
      state = this.decider.evolve(state, event as NewEvent & Event);
      note(to, event.request, revision, position);
    }
    const loaded = { state, revision, position, requests: to.requests };
    this.#keep(id, loaded);
    return loaded;
  }

  /** An aggregate without events. */
  unwritten(): Loaded<State> {
    return { state: this.decider.initialState, revision: noStream, position: beginning, requests: new Map() };
  }

  #keep(id: string, loaded: Loaded<State>): void {
    if ((this.#kept.peek(id)?.revision ?? noStream) < loaded.revision) this.#kept.set(id, loaded);
  }

  #fold(before: Loaded<State>, event: KnownEvent): Loaded<State> {
    const { revision, position } = event;
    note(before, event.request, revision, position);
    // A stream holds the events of its category and no others.
    const state = this.decider.evolve(before.state, event as KnownEvent & Event);
    return { state, revision, position, requests: before.requests };
  }
}

function note(loaded: Loaded<unknown>, mark: RequestMark | undefined, revision: number, position: number): void {
  if (mark !== undefined) loaded.requests.set(mark.id, { mark, revision, position });
}
