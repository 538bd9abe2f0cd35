import type { DomainEvent } from '@waybill/shared-kernel/decider.js';
import {
  ConcurrentRequest,
  IdempotencyKeyReused,
  InvalidInput,
  NotFound,
  RevisionMismatch,
  Unavailable,
  WaybillError,
} from '@waybill/shared-kernel/errors.js';
import { aggregateIdOf, formerAggregateIdOf, payloadHash } from '@waybill/shared-kernel/idempotency.js';
import type { Actor, RequestMark } from '@waybill/shared-kernel/message.js';
import { type Randomness, type Timer, timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { LogPages } from '@waybill/shared-kernel/ports/event-store.js';
import type { DataKeys } from '@waybill/shared-kernel/ports/keys.js';
import { serviceKeyOf } from '@waybill/shared-kernel/service-key.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import type { AggregateLog, AggregateStreams, Loaded, RecordedRequest } from './aggregate-streams.js';
import { againOnConflict } from './conflict.js';
import { envelopes, type Cause } from './envelope.js';
import { FormerRequests } from './former-requests.js';
import { firstOf, RequestPointers, type Pointer, type Sought } from './request-pointers.js';

/** A command as a client asked for it. */
export interface CommandRequest {
  /** Where it was asked for: what clients know the command by. */
  readonly route: string;
  /** `sub` of who asks. */
  readonly caller: string;
  /** The roles of the caller that the route admits, of which one will be the role in which they act. */
  readonly roles: readonly string[];
  /** `undefined`: it has no Idempotency-Key. */
  readonly key: RequestKey | undefined;
  readonly payload: unknown;
  /** Whether the client takes the aggregate at this revision; `undefined`: at any. */
  readonly matches: ((revision: number) => boolean) | undefined;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
}

/** By what a request is known that its client may repeat to get the first answer. */
export interface RequestKey {
  /** UUID: the same for the same caller, acting role, method, path and Idempotency-Key. */
  readonly idIn: (role: string) => string;
  /** UUID: the same for the same caller, method, path and Idempotency-Key. */
  readonly formerId: string;
}

export type KeyedRequest = CommandRequest & { readonly key: RequestKey };

/** A cause that is somebody's request. */
export type ClientCause = Cause & { readonly actor: Actor };

/** What a command on an aggregate is about, and how the request becomes one. */
export interface CommandTask<Command, State> {
  readonly id: string;
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
  /** Of a command that is known by what it says: where the same caller said the same, in a role that they still have. */
  readonly recorded?: (state: State) => Promise<RecordedBefore<State> | undefined>;
}

export interface RecordedBefore<State> {
  readonly revision: number;
  readonly position: number;
  /** The aggregate as it was answered then. */
  readonly state: State;
}

/** The same of a command that makes a new aggregate. All of that has its own partition key, the id. */
export interface CreationTask<Command> {
  /** `undefined`: the caller chose none, and it gets one. */
  readonly chosenId: string | undefined;
  readonly authorise: () => string;
  readonly subject: (id: string) => string;
  readonly createsKey?: true;
  readonly command: (id: string) => Command | Promise<Command>;
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

/** Called with how each command ended: `recorded`, `unchanged`, `replayed`, or the kind of the refusal or fault. */
export type CountCommand = (route: string, outcome: string) => void;

export interface CommandDependencies {
  readonly store: AggregateLog & LogPages;
  readonly keys: DataKeys;
  readonly clock: WallClock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  readonly count?: CountCommand | undefined;
}

/** From a client's request to events in the log, each request at most once. */
export class CommandHandler {
  readonly #dependencies: CommandDependencies;
  readonly #pointers: RequestPointers;
  readonly #formerRequests: FormerRequests;
  readonly #inFlight = new Set<string>();

  constructor(dependencies: CommandDependencies) {
    this.#dependencies = dependencies;
    this.#pointers = new RequestPointers(dependencies.store, dependencies.randomness);
    this.#formerRequests = new FormerRequests(dependencies.store);
  }

  /**
   * Handles a command on an aggregate. A request that recorded events before is answered from them, before anything else
   * is asked; one that recorded none is decided anew. Throws `IdempotencyKeyReused` for another payload under the same
   * key, `RevisionMismatch`, `ConcurrentRequest`, and whatever the task and the decider refuse.
   */
  handle<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: CommandRequest,
    task: CommandTask<Command, State>,
  ): Promise<Handled<State>> {
    return this.#once(request, () => this.#change(streams, request, task));
  }

  /**
   * Handles a command that makes a new aggregate, as `handle` does. From its first pointer on the key is bound to one id
   * and payload. Throws `InvalidInput` for an If-Match: there is nothing yet that could match.
   */
  create<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: KeyedRequest,
    task: CreationTask<Command>,
  ): Promise<Handled<State>> {
    // In several roles it could have come in another one before.
    let mayBeNew = task.chosenId === undefined && request.matches === undefined && request.roles.length === 1;
    return this.#once(request, async () => {
      const made = mayBeNew ? await this.#createNew(streams, request, task) : undefined;
      mayBeNew = false;
      return made ?? this.#create(streams, request, task);
    });
  }

  async #once<State>(request: CommandRequest, attempt: () => Promise<Handled<State>>): Promise<Handled<State>> {
    const { route, roles, key } = request;
    const ids = key === undefined ? [] : roles.map(key.idIn);
    try {
      const handled = await this.#alone(ids, () => againOnConflict(attempt, this.#dependencies));
      this.#dependencies.count?.(route, outcomeOf(handled));
      return handled;
    } catch (error) {
      this.#dependencies.count?.(route, error instanceof WaybillError ? error.kind : 'failed');
      throw error;
    }
  }

  async #alone<Result>(ids: readonly string[], work: () => Promise<Result>): Promise<Result> {
    if (ids.some((id) => this.#inFlight.has(id))) {
      throw new ConcurrentRequest('A request with this Idempotency-Key is still in progress.');
    }
    for (const id of ids) this.#inFlight.add(id);
    try {
      return await work();
    } finally {
      for (const id of ids) this.#inFlight.delete(id);
    }
  }

  async #change<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: CommandRequest,
    task: CommandTask<Command, State>,
  ): Promise<Handled<State>> {
    const { id } = task;
    const loaded = await loadFor(request, streams, task);
    const { state, revision } = loaded;
    const recorded = await this.#recorded(streams, id, loaded, request);
    if (recorded !== undefined) return replay(streams, id, loaded, recorded, task.partitionKey);
    const told = await task.recorded?.(state);
    if (told !== undefined) return replayed(streams, id, told, task.partitionKey);

    const role = task.authorise(state);
    if (request.matches?.(revision) === false) throw new RevisionMismatch(revision);
    const mark = await this.#mark(request, role, task.subject(state), task.createsKey);
    const cause = this.#cause(request, role, mark);
    const command = await task.command(state, cause);
    return this.#record(streams, id, loaded, streams.decider.decide(command, state), task.partitionKey(state), cause);
  }

  /**
   * What a request makes that comes for the first time, as most do: that it does is not looked for, since its pointer is
   * appended to no stream only. `undefined`: it came before, which whoever looks can tell. What refuses it is thrown once
   * it is known that it did not.
   */
  async #createNew<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: KeyedRequest,
    task: CreationTask<Command>,
  ): Promise<Handled<State> | undefined> {
    try {
      const former = await this.#formerOf(streams, request);
      if (former.pointers.length > 0 || former.madeId !== undefined) return undefined;
      const role = task.authorise();
      const id = aggregateIdOf(await this.#serviceKey(), request.key.idIn(role));
      // First: it may make the key that the command seals with.
      const mark = await this.#mark(request, role, task.subject(id), task.createsKey);
      const loaded = streams.unwritten();
      const events = streams.decider.decide(await task.command(id), loaded.state);
      if (events.length === 0) return undefined;
      const cause = this.#cause(request, role, mark);
      await this.#pointers.direct(mark, streams.streamOf(id), cause, { others: [], bound: undefined });
      return await this.#record(streams, id, loaded, events, id, cause);
    } catch (error) {
      // Looking would not get further.
      if (error instanceof Unavailable && error.what === 'event store') throw error;
      if ((await this.#pointers.find(inEachRole(request))).length === 0) throw error;
      return undefined;
    }
  }

  async #create<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: KeyedRequest,
    task: CreationTask<Command>,
  ): Promise<Handled<State>> {
    const [found, former] = await Promise.all([
      this.#pointers.find(inEachRole(request)),
      this.#formerOf(streams, request),
    ]);
    const pointers = [...found, ...former.pointers];
    const madeIds = former.madeId === undefined ? [] : [former.madeId];
    for (const id of new Set([...pointers.map((pointer) => pointer.id), ...madeIds])) {
      const made = await this.#madeBefore(streams, id, await streams.load(id), request, task);
      if (made !== undefined) return made;
    }
    const bound = await this.#boundTo(pointers, task, request.payload);

    const role = task.authorise();
    if (request.matches !== undefined) throw ifMatchOfNothing();
    const known = bound?.id ?? task.chosenId;
    const id = known ?? aggregateIdOf(await this.#serviceKey(), request.key.idIn(role));
    const mark = await this.#mark(request, role, task.subject(id), task.createsKey);
    // Nobody else has an id that is made here for the first time.
    const loaded = known === undefined ? streams.unwritten() : await streams.loadExpected(id);
    // By another process with the same request, since its pointer was found.
    const made = await this.#madeBefore(streams, id, loaded, request, task);
    if (made !== undefined) return made;
    const events = streams.decider.decide(await task.command(id), loaded.state);
    const cause = this.#cause(request, role, mark);
    if (events.length > 0 && !pointers.some(({ requestId }) => requestId === mark.id)) {
      await this.#pointers.direct(mark, streams.streamOf(id), cause, { others: inOtherRoles(request, role), bound });
    }
    return this.#record(streams, id, loaded, events, id, cause);
  }

  /**
   * For one release: the pointers that the request had before requests told roles apart, and the id that could be foreseen,
   * where something has it. Looked for only where the log is that old.
   */
  async #formerOf<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    request: KeyedRequest,
  ): Promise<{ readonly pointers: readonly Pointer[]; readonly madeId?: string }> {
    if (!(await this.#formerRequests.mayBeThere())) return { pointers: [] };
    const madeId = formerAggregateIdOf(request.key.formerId);
    const [pointers, isThere] = await Promise.all([this.#pointers.find([formerly(request)]), streams.has(madeId)]);
    return isThere ? { pointers, madeId } : { pointers };
  }

  /** What the request made, where it is that aggregate. Throws `IdempotencyKeyReused` where it is about another. */
  async #madeBefore<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    loaded: Loaded<State>,
    request: KeyedRequest,
    task: CreationTask<Command>,
  ): Promise<Handled<State> | undefined> {
    const recorded = await this.#recorded(streams, id, loaded, request);
    if (recorded === undefined) return undefined;
    if (!isAbout(task, { id, subject: recorded.mark.subject })) throw new IdempotencyKeyReused();
    return replay(streams, id, loaded, recorded, () => id);
  }

  async #record<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    loaded: Loaded<State>,
    events: readonly Event[],
    partitionKey: string,
    cause: Cause,
  ): Promise<Handled<State>> {
    const unchanged = events.length === 0;
    const appended = envelopes(events, partitionKey, cause, this.#dependencies.randomness);
    const { state, revision, position } = unchanged ? loaded : await streams.append(id, loaded, appended);
    return { id, stream: streams.streamOf(id), partitionKey, state, revision, position, replayed: false, unchanged };
  }

  /** Where the request stands in an aggregate. Throws `IdempotencyKeyReused`. */
  async #recorded<Command, State, Event extends DomainEvent>(
    streams: AggregateStreams<Command, State, Event>,
    id: string,
    loaded: Loaded<State>,
    request: CommandRequest,
  ): Promise<RecordedRequest | undefined> {
    for (const sought of soughtOf(request)) {
      const recorded = await streams.recorded(id, loaded, sought.id);
      if (recorded === undefined || !sought.roles.includes(recorded.role ?? '')) continue;
      if (!(await this.#isSamePayload(recorded.mark, request.payload))) throw new IdempotencyKeyReused();
      return recorded;
    }
    return undefined;
  }

  /**
   * The pointer that binds, or of those from before there was an arbiter the one that fits. Throws `IdempotencyKeyReused`
   * where it does not fit.
   */
  async #boundTo(
    pointers: readonly Pointer[],
    task: Pick<CreationTask<unknown>, 'chosenId' | 'subject'>,
    payload: unknown,
  ): Promise<Pointer | undefined> {
    const first = firstOf(pointers);
    for (const pointer of first === undefined ? pointers : [first]) {
      if (isAbout(task, pointer) && (await this.#isSamePayload(pointer, payload))) return pointer;
    }
    if (pointers.length > 0) throw new IdempotencyKeyReused();
    return undefined;
  }

  /** Once the key of the hash is destroyed nobody can tell what the payload was, but for what it was about. */
  async #isSamePayload({ hash, subject }: Pick<Pointer, 'hash' | 'subject'>, payload: unknown): Promise<boolean> {
    const key = subject === null ? undefined : await this.#dependencies.keys.find(subject);
    return key === undefined || hash === payloadHash(key, payload);
  }

  #serviceKey(): Promise<Uint8Array> {
    return serviceKeyOf(this.#dependencies.keys);
  }

  #cause({ caller, correlationId, traceparent, key }: CommandRequest, role: string, mark: RequestMark): ClientCause {
    const { clock } = this.#dependencies;
    const request = key === undefined ? undefined : mark;
    return {
      id: mark.id,
      occurredAt: timestamp(clock),
      correlationId,
      traceparent,
      actor: { sub: caller, role },
      request,
    };
  }

  async #mark(
    { key, payload }: CommandRequest,
    role: string,
    subject: string,
    createsKey?: true,
  ): Promise<RequestMark> {
    const { keys, randomness } = this.#dependencies;
    if (key === undefined) return { id: randomness.uuid(), hash: '', subject };
    const dataKey = await (createsKey === true ? keys.create(subject) : keys.find(subject));
    return { id: key.idIn(role), hash: dataKey === undefined ? '' : payloadHash(dataKey, payload), subject };
  }
}

/** In each role of the caller, and for one release as it was before requests told roles apart. */
function soughtOf(request: CommandRequest): readonly Sought[] {
  return isKeyed(request) ? [...inEachRole(request), formerly(request)] : [];
}

function isKeyed(request: CommandRequest): request is KeyedRequest {
  return request.key !== undefined;
}

function inEachRole({ key, roles }: KeyedRequest): readonly Sought[] {
  return roles.map((role) => ({ id: key.idIn(role), roles: [role] }));
}

function formerly({ key, roles }: KeyedRequest): Sought {
  return { id: key.formerId, roles };
}

/** Whether what is asked for may be what was recorded: this id, or one made here, and about the same subject. */
function isAbout(
  { chosenId, subject }: Pick<CreationTask<unknown>, 'chosenId' | 'subject'>,
  recorded: Pick<Pointer, 'id' | 'subject'>,
): boolean {
  if (chosenId !== undefined && chosenId !== recorded.id) return false;
  return recorded.subject === null || recorded.subject === subject(recorded.id);
}

function inOtherRoles(request: KeyedRequest, acting: string): readonly Sought[] {
  return inEachRole(request).filter(({ roles }) => !roles.includes(acting));
}

async function replay<Command, State, Event extends DomainEvent>(
  streams: AggregateStreams<Command, State, Event>,
  id: string,
  loaded: Loaded<State>,
  { revision, position }: Pick<RecordedRequest, 'revision' | 'position'>,
  partitionKeyOf: (state: State) => string,
): Promise<Handled<State>> {
  const state = loaded.revision === revision ? loaded.state : await streams.stateAt(id, revision);
  return replayed(streams, id, { state, revision, position }, partitionKeyOf);
}

function replayed<Command, State, Event extends DomainEvent>(
  streams: AggregateStreams<Command, State, Event>,
  id: string,
  { state, revision, position }: RecordedBefore<State>,
  partitionKeyOf: (state: State) => string,
): Handled<State> {
  const partitionKey = partitionKeyOf(state);
  const stream = streams.streamOf(id);
  return { id, stream, partitionKey, state, revision, position, replayed: true, unchanged: false };
}

/**
 * The aggregate as it stands. That one cannot be read any more is told to those whose it was when it was seen last; where
 * nobody knows whose it is, operators alone are told, and for others it is as if there were none.
 */
async function loadFor<Command, State, Event extends DomainEvent>(
  { roles }: CommandRequest,
  streams: AggregateStreams<Command, State, Event>,
  { id, authorise }: CommandTask<Command, State>,
): Promise<Loaded<State>> {
  try {
    return await streams.loadExpected(id);
  } catch (error) {
    if (!isStreamFault(error) || roles.includes('operator')) throw error;
    const seen = streams.lastSeen(id);
    if (seen !== undefined) authorise(seen.state);
    // Of products everybody knows.
    else if (streams.category !== 'product') throw new NotFound(streams.category, id);
    throw error;
  }
}

function ifMatchOfNothing(): InvalidInput {
  const parameter = 'If-Match';
  const detail = 'What is made now has no revision yet that could match: leave it out.';
  return new InvalidInput([{ pointer: `/${parameter}`, parameter, detail }]);
}

function outcomeOf({ replayed, unchanged }: Handled<unknown>): string {
  if (replayed) return 'replayed';
  return unchanged ? 'unchanged' : 'recorded';
}
