import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Registry } from 'prom-client';
import { encodeConsistencyToken } from '@waybill/shared-kernel/consistency-token.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import { seal } from '@waybill/shared-kernel/personal-data.js';
import type { Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { noStream, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { mostCandidates, type ReadStore, type StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { seededRandomness, virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { systemTimer } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';
import {
  issueDevelopmentToken,
  openDevelopmentKey,
  type DevelopmentKey,
} from '@waybill/infra/http/identity/development-key.js';
import { listen, type Listening } from '@waybill/infra/http/server/listen.js';
import {
  checkedClient,
  type Call,
  type CheckedClient,
  type Reply,
} from '@waybill/infra/http/testing/checked-client.js';
import { createTokenVerifier } from '@waybill/infra/http/identity/tokens.js';
import type { Route } from '@waybill/infra/http/route.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { orders as ordersProjection } from '@waybill/projections/read-models/orders.js';
import { releaseDocument } from '@waybill/projections/quarantine/fold-or-quarantine.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { requestRebuild } from '@waybill/projections/rebuild/request-rebuild.js';
import type { Happening } from '@waybill/projections/testing/history.js';
import { readApiDocument } from '../openapi.js';
import type { Dependencies } from '../reading/model.js';
import { createReadApi, readApiRoutes } from '../read-api.js';

export const start = '2026-03-01T12:00:00.000Z';

/** A call as whom, and what comes with it. */
export type CallAs = Call & { readonly sub?: string; readonly roles?: readonly Role[] };

/**
 * The read API over a log and keys in memory and read models in SQLite. Time stands still, and nothing is projected
 * before `project` is called. Every exchange is checked against the OpenAPI document.
 */
export class ReadSide {
  readonly clock: VirtualClock = virtualClock(start);
  /** Tells how much time passes, whatever becomes of the other. */
  readonly steadyClock: VirtualClock = virtualClock(0);
  readonly keys: KeyStore;
  readonly logged: string[] = [];
  /** What happens while a read waits: by default time passes. */
  whileWaiting: (milliseconds: number) => Promise<void> | void = (milliseconds) => this.pass(milliseconds);
  /** What does not answer the API. */
  readonly down = new Set<'event store' | 'read store'>();
  /** Documents that are looked at for a page of a list. */
  candidates = mostCandidates;
  /** Milliseconds that reads waited. */
  waited = 0;
  /** How many events each read of a stream by the API brought. */
  readonly reads: number[] = [];
  /** Called with each of them. */
  whenRead: (events: number) => void = () => {};

  readonly #log: MemoryEventStore;
  readonly #randomness = seededRandomness('read side');
  readonly #revisions = new Map<string, number>();
  #folder = '';
  #dependencies!: Dependencies;
  #readStore!: ReadStore;
  #key!: DevelopmentKey;
  #server!: Listening;
  #client!: CheckedClient;

  constructor() {
    this.#log = new MemoryEventStore(this.clock);
    this.keys = openMemoryKeyStore(this.#randomness);
  }

  static async open(): Promise<ReadSide> {
    const side = new ReadSide();
    await side.#open();
    return side;
  }

  async #open(): Promise<void> {
    const { clock, steadyClock, keys } = this;
    this.#folder = await mkdtemp(join(tmpdir(), 'waybill-read-'));
    this.#readStore = openSqliteReadStore(join(this.#folder, 'read-models.sqlite'));
    this.#key = await openDevelopmentKey(join(this.#folder, 'key.json'));
    const timer: Timer = {
      sleep: async (milliseconds) => {
        this.waited += milliseconds;
        await this.whileWaiting(milliseconds);
      },
    };
    this.#dependencies = {
      events: this.#mortal('event store', this.#log),
      readStore: this.#mortal('read store', this.#inSmallPages(this.#readStore)),
      keys,
      clock,
      steadyClock,
      timer,
    };
    const api = createReadApi({
      ...this.#dependencies,
      verify: createTokenVerifier(this.#key.trusted, { wallClock: clock, steadyClock }),
      ready: () => Promise.resolve({ ready: true, checks: {} }),
      metrics: new Registry(),
      log: pino({ base: null, level: 'warn' }, { write: (line) => this.logged.push(line) }),
      randomness: this.#randomness,
    });
    this.#server = await listen(api, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
    this.#client = checkedClient(this.#server.url, readApiDocument);
  }

  #inSmallPages(store: ReadStore): ReadStore {
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'page') {
          const page: ReadStore['page'] = (collection, query) =>
            target.page(collection, { ...query, candidates: this.candidates });
          return page;
        }
        const found: unknown = Reflect.get(target, name, target);
        return typeof found === 'function' ? (found.bind(target) as unknown) : found;
      },
    });
  }

  #mortal<Store extends EventStore | ReadStore>(what: 'event store' | 'read store', store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name, target);
        if (typeof method !== 'function') return method;
        return (...asked: unknown[]): unknown =>
          this.down.has(what) && name !== 'changeCounter'
            ? Promise.reject(new Unavailable(what, 'It is down.'))
            : this.#noted(name, Reflect.apply(method, target, asked));
      },
    });
  }

  #noted(method: string | symbol, answer: unknown): unknown {
    if (method !== 'readStream' || !(answer instanceof Promise)) return answer;
    return answer.then((events: unknown) => {
      if (Array.isArray(events)) {
        this.reads.push(events.length);
        this.whenRead(events.length);
      }
      return events;
    });
  }

  /** What it serves. */
  routes(): readonly Route[] {
    return readApiRoutes(this.#dependencies);
  }

  /** Lets time pass, on both clocks. */
  pass(milliseconds: number): void {
    this.clock.advance(milliseconds);
    this.steadyClock.advance(milliseconds);
  }

  get url(): string {
    return this.#server.url;
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.#readStore.close();
    await rm(this.#folder, { recursive: true });
  }

  /** Appends each to its stream. Answers with the consistency token of the last. */
  async happen(...happenings: readonly Happening[]): Promise<string> {
    let token = '';
    for (const { stream, event } of happenings) {
      const before = this.#revisions.get(stream) ?? noStream;
      const { revision, position } = await this.#log.append(stream, before, [event]);
      this.#revisions.set(stream, revision);
      token = encodeConsistencyToken({ stream, revision, position, partitionKey: event.partitionKey });
    }
    return token;
  }

  /** Appends an event that cannot be read. */
  async happenUnreadably(stream: string): Promise<void> {
    const before = this.#revisions.get(stream) ?? noStream;
    await appendUnreadable(this.#log, stream, before);
    this.#revisions.set(stream, before + 1);
  }

  /** Appends it as the first event of its stream, whatever that holds. */
  async happenAnew({ stream, event }: Happening): Promise<void> {
    await this.#log.append(stream, noStream, [event]);
  }

  /** Releases an order from quarantine; as it is then. */
  async release(orderId: string): Promise<StoredDocument | undefined> {
    const [orders] = await liveProjections([ordersProjection], this.#readStore);
    return releaseDocument(orders!, orderId, { store: this.#log, readStore: this.#readStore, clock: this.clock });
  }

  /** What an operator of the event store can do: see `MemoryEventStore`. */
  truncate(stream: string, before: number): void {
    this.#log.truncate(stream, before);
  }

  tombstone(stream: string): void {
    this.#log.tombstone(stream);
  }

  /** Projects what has happened, by default onto the versions that are read. */
  async project(onto?: readonly Projection[]): Promise<void> {
    const dependencies = { store: this.#log, readStore: this.#readStore, clock: this.clock };
    const { halted } = await catchUp(onto ?? (await liveProjections(projections, this.#readStore)), dependencies);
    if (halted.length > 0) throw halted[0]!.error;
  }

  /** Writes something else into a section of a stored document, whose revisions stay: what rebuilds are for. */
  async spoil({ collection, fields }: Projection, key: string, section: string, change: object): Promise<void> {
    const [document] = await this.#readStore.load(collection, [key]);
    if (document === undefined) throw new Error(`there is no ${key} in ${collection.name}`);
    const { partition, revisions: expected, ...rest } = document;
    const sections = { ...document.sections, [section]: { ...(document.sections[section] as object), ...change } };
    const write = { ...rest, expected, revisions: expected, sections, fields: fields(sections) };
    const position = await this.#readStore.position(collection, partition);
    await this.#readStore.commit({ collection, partition, writes: [write], position });
  }

  /** Makes a read model anew; its next version is read then. */
  async rebuild(projection: Projection): Promise<void> {
    const { clock, steadyClock } = this;
    const dependencies = {
      store: this.#log,
      readStore: this.#readStore,
      clock,
      steadyClock,
      timer: systemTimer,
      randomness: this.#randomness,
    };
    const outcome = await requestRebuild(projection, 'rebuild', dependencies, { alone: true });
    if (outcome?.result !== 'switched') throw new Error(`the rebuild ended with ${outcome?.result}`);
  }

  async history(...happenings: readonly Happening[]): Promise<void> {
    await this.happen(...happenings);
    await this.project();
  }

  /** A value sealed with the key of a person. */
  async sealed(subject: string, value: unknown): Promise<Sealed> {
    const key = await this.keys.create(subject);
    if (key === undefined) throw new Error(`the key of ${subject} was destroyed`);
    return seal(subject, key, value, this.#randomness);
  }

  token(sub: string, roles: readonly Role[], clock: WallClock = this.clock): Promise<string> {
    return issueDevelopmentToken(this.#key, { sub, roles, expiresIn: 24 * 3600 }, clock);
  }

  /** A GET; as an operator by default. */
  async get<Body = Record<string, unknown>>(path: string, as: CallAs = {}): Promise<Reply<Body>> {
    const { sub = 'olive', roles = ['operator'], ...call } = as;
    return this.#client.call<Body>('GET', path, { token: await this.token(sub, roles), ...call });
  }
}
