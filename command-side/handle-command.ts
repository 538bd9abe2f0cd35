import type { DomainEvent } from '@waybill/shared-kernel/decider.js';
import {
  ConcurrentRequest,
  IdempotencyKeyReused,
  RevisionMismatch,
  WaybillError,
} from '@waybill/shared-kernel/errors.js';
import { payloadHash } from '@waybill/shared-kernel/idempotency.js';
import type { Actor, RequestMark } from '@waybill/shared-kernel/message.js';
import { timestamp, type Clock, type Randomness, type Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { AggregateStreams, Loaded, RecordedRequest } from './aggregate-streams.js';
import { againOnConflict } from './conflict.js';
import { envelopes, type Cause } from './envelope.js';
import { RequestPointers } from './request-pointers.js';

/** A command as a client asked for it. */
export interface CommandRequest {
  /** Where it was asked for: what clients know the command by. */
  readonly route: string;
  /** `sub` of who asks. */
  readonly caller: string;
  /** UUID: the same for the same caller, method, path and Idempotency-Key; a new one where there is no key. */
  readonly id: string;
  /** Whether the client may repeat it and get the first answer. */
  readonly repeatable: boolean;
  readonly payload: unknown;
  /** Whether the client takes the aggregate at this revision. */
  readonly matches: (revision: number) => boolean;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
}

/** A cause that is somebody's request. */
export type ClientCause = Cause & { readonly actor: Actor };

/** What a command is about, and how the request becomes one. */
export interface CommandTask<Command, State> {
  readonly id: string;
  /** Set where the aggregate is new: the id it gets when the caller chooses none. */
  readonly derivedId?: string;
  /** The role in which the caller acts. Throws `NotFound` or `Forbidden` for what is not theirs. */
  readonly authorise: (state: State) => string;
  /** Decides the partition: the order's id for all about an order, else the aggregate's. */
  readonly partitionKey: (state: State) => string;
  /** Whose key hashes the payload. */
  readonly subject: (state: State) => string;
  /** The subject gets its key now, if it has none. */
  readonly createsKey?: true;
  /** The command, with what it must know from elsewhere. `cause` is for what must happen before it. */
  readonly command: (state: State, cause: ClientCause) => Command | Promise<Command>;
}

/** What came of it, now or the first time. */
export interface Handled<State> {
  readonly stream: string;
  readonly partitionKey: string;
  readonly id: string;
  readonly state: State;
  readonly revision: number;
  readonly position: number;
  /** It was done before, and this is what came of it then. */
  readonly replayed: boolean;
  /** It recorded nothing: everything was as asked already. */
  readonly unchanged: boolean;
}

/** Told how each command ended: `recorded`, `unchanged`, `replayed`, or the kind of the refusal or fault. */
export type CountCommand = (route: string, outcome: string) => void;

export interface CommandMeans {
  readonly store: Pick<EventStore, 'append' | 'readStream'>;
  readonly keys: Pick<KeyStore, 'find' | 'create'>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  readonly count?: CountCommand | undefined;
}

/** From a client's request to events in the log, each request at most once. */
export class CommandHandler {
  readonly #means: CommandMeans;
  readonly #pointers: RequestPointers;
  readonly #inFlight = new Set<string>();

  constructor(means: CommandMeans) {
    this.#means = means;
    this.#pointers = new RequestPointers(means.store);
  }

  /**
   * Handles a command. A request that recorded events before is answered from them, before anything else is asked;
   * one that recorded none is decided anew. Throws `IdempotencyKeyReused` for another payload under the same key,
   * `RevisionMismatch`, `ConcurrentRequest`, and whatever the task and the decider refuse.
   */
  async handle<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: CommandRequest,
    task: CommandTask<Command, State>,
  ): Promise<Handled<State>> {
    try {
      const handled = await this.#handleOnce(streams, request, task);
      this.#means.count?.(request.route, outcomeOf(handled));
      return handled;
    } catch (error) {
      this.#means.count?.(request.route, error instanceof WaybillError ? error.kind : 'failed');
      throw error;
    }
  }

  async #handleOnce<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: CommandRequest,
    task: CommandTask<Command, State>,
  ): Promise<Handled<State>> {
    if (this.#inFlight.has(request.id)) {
      throw new ConcurrentRequest('A request with this Idempotency-Key is being worked on right now.');
    }
    this.#inFlight.add(request.id);
    try {
      return await againOnConflict(() => this.#attempt(streams, request, task), this.#means);
    } finally {
      this.#inFlight.delete(request.id);
    }
  }

  async #attempt<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: CommandRequest,
    task: CommandTask<Command, State>,
  ): Promise<Handled<State>> {
    const { id } = task;
    const loaded = await streams.load(id);
    const pointed = task.derivedId === undefined ? undefined : await this.#pointers.load(request.id);
    for (const candidate of new Set([id, ...(pointed?.ids ?? []), task.derivedId ?? id])) {
      const there = candidate === id ? loaded : await streams.load(candidate);
      const recorded = await streams.recorded(candidate, there, request.id);
      if (recorded !== undefined) return this.#replay(streams, candidate, there, recorded, request, task);
    }

    const role = task.authorise(loaded.state);
    if (!request.matches(loaded.revision)) throw new RevisionMismatch(loaded.revision);
    const cause = await this.#cause(request, role, task, loaded.state);
    const command = await task.command(loaded.state, cause);
    const events = streams.decider.decide(command, loaded.state);
    const unchanged = events.length === 0;
    const partitionKey = task.partitionKey(loaded.state);
    const stream = streams.streamOf(id);
    let reached = loaded;
    if (!unchanged) {
      if (pointed !== undefined && id !== task.derivedId) await this.#pointers.direct(pointed, stream, cause);
      reached = await streams.append(id, loaded, envelopes(events, partitionKey, cause));
    }
    const { state, revision, position } = reached;
    return { id, stream, partitionKey, state, revision, position, replayed: false, unchanged };
  }

  async #replay<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    loaded: Loaded<State>,
    { mark, revision, position }: RecordedRequest,
    request: CommandRequest,
    task: CommandTask<Command, State>,
  ): Promise<Handled<State>> {
    const key = await this.#means.keys.find(mark.subject);
    // Once the key is destroyed nobody can tell what the payload was.
    if (key !== undefined && mark.hash !== payloadHash(key, request.payload)) throw new IdempotencyKeyReused();
    const state = loaded.revision === revision ? loaded.state : await streams.stateAt(id, revision);
    const partitionKey = task.partitionKey(state);
    const stream = streams.streamOf(id);
    return { id, stream, partitionKey, state, revision, position, replayed: true, unchanged: false };
  }

  async #cause<Command, State>(
    request: CommandRequest,
    role: string,
    task: CommandTask<Command, State>,
    state: State,
  ): Promise<ClientCause> {
    const { id, caller, correlationId, traceparent } = request;
    return {
      id,
      occurredAt: timestamp(this.#means.clock),
      correlationId,
      traceparent,
      actor: { sub: caller, role },
      request: request.repeatable ? await this.#mark(request, task, task.subject(state)) : undefined,
    };
  }

  async #mark(request: CommandRequest, { createsKey }: { createsKey?: true }, subject: string): Promise<RequestMark> {
    const { keys } = this.#means;
    const key = await (createsKey === true ? keys.create(subject) : keys.find(subject));
    return { id: request.id, hash: key === undefined ? '' : payloadHash(key, request.payload), subject };
  }
}

function outcomeOf({ replayed, unchanged }: Handled<unknown>): string {
  if (replayed) return 'replayed';
  return unchanged ? 'unchanged' : 'recorded';
}
