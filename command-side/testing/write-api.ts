import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import type { Route } from '@waybill/infra/http/route.js';
import { listen, type Listening } from '@waybill/infra/http/server/listen.js';
import {
  checkedClient,
  type Call,
  type CheckedClient,
  type Reply,
} from '@waybill/infra/http/testing/checked-client.js';
import { createTokenVerifier } from '@waybill/infra/http/identity/tokens.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { webhookSecret } from '@waybill/infra/payment-gateway/testing/simulator-under-test.js';
import { openMemorySnapshotStore } from '@waybill/infra/snapshots/memory/snapshot-store.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { SnapshotStore } from '@waybill/shared-kernel/ports/snapshots.js';
import { writeApiDocument } from '../openapi.js';
import { createWriteApi, writeRoutes, type WriteApiParts } from '../write-api.js';
import { aggregatesIn } from '../handling/aggregates.js';
import { Erasures } from '../customers/erasures.js';
import { CommandHandler } from '../handling/handle-command.js';
import { LiveLook } from '../handling/live-look.js';
import { PaymentRecords } from '../payments/payment-records.js';
import { AggregateSnapshots } from '../handling/snapshots/aggregate-snapshots.js';
import { FaultyStore } from './faulty-store.js';
import type { OpenedStore } from './stores.js';

export interface Answered {
  readonly status?: string;
  readonly revision: number;
  readonly orderId?: string;
  readonly customerId?: string;
  readonly productId?: string;
  readonly deliveryId?: string;
  readonly [problem: string]: unknown;
}

export interface Asked extends Call {
  /** `role:sub`; several roles are joined by `+`. Absent: no token. */
  readonly as?: string;
  /** The Idempotency-Key; `null` sends none. A new one by default. */
  readonly key?: string | null;
}

/** A write API on a store of its own, and a client of which each exchange is checked against the document. */
export class WriteApi {
  readonly clock: VirtualClock;
  readonly store: FaultyStore;
  readonly keys: KeyStore;
  readonly snapshotStore: SnapshotStore = openMemorySnapshotStore();
  /** Taken all the time, so that whatever a test restarts goes on from them. */
  readonly snapshots = new AggregateSnapshots(
    { store: this.snapshotStore, timer: systemTimer, clock: steadyClock, report: (fault) => this.faults.push(fault) },
    { every: 2 },
  );
  /** What was said of snapshots. */
  readonly faults: Error[] = [];
  readonly #opened: OpenedStore;
  readonly #looks: boolean;
  readonly #clients = new Map<string, CheckedClient>();
  readonly #tokens = new Map<string, Promise<string>>();
  #key!: Awaited<ReturnType<typeof openDevelopmentKey>>;
  #listening!: Listening;
  #asked = 0;

  private constructor(clock: VirtualClock, opened: OpenedStore, looks: boolean) {
    this.clock = clock;
    this.#opened = opened;
    this.#looks = looks;
    this.store = new FaultyStore(opened.store);
    this.keys = openMemoryKeyStore(systemRandomness);
  }

  /** `looks`: each of its processes has a live look at the log. */
  static async start(open: (clock: WallClock) => Promise<OpenedStore>, looks = false): Promise<WriteApi> {
    const clock = virtualClock('2026-01-01T10:00:00Z');
    const api = new WriteApi(clock, await open(clock), looks);
    const folder = await mkdtemp(join(tmpdir(), 'waybill-write-api-'));
    api.#key = await openDevelopmentKey(join(folder, 'development-key.json'));
    await rm(folder, { recursive: true });
    api.#listening = await api.another();
    return api;
  }

  get url(): string {
    return this.#listening.url;
  }

  /** Another process on the same log and keys: nothing is remembered but what they hold. */
  another(parts: Pick<WriteApiParts, 'admission' | 'count'> = {}): Promise<Listening> {
    const api = createWriteApi({
      ...parts,
      store: this.store,
      keys: this.keys,
      clock: this.clock,
      steadyClock,
      randomness: systemRandomness,
      timer: systemTimer,
      snapshots: this.snapshots,
      look: this.#looks ? new LiveLook({ store: this.store, clock: steadyClock, timer: systemTimer }) : undefined,
      verify: createTokenVerifier(this.#key.trusted, { wallClock: this.clock, steadyClock }),
      log: pino({ level: 'silent' }),
      metrics: new Registry(),
      ready: async () => ({ ready: true, checks: {} }),
      webhookSecret,
      publicReadUrl: 'http://read.example',
    });
    const address = { host: '127.0.0.1', port: 0, portVariable: 'WAYBILL_WRITE_PORT' };
    return listen(api, address);
  }

  /** What it serves. */
  routes(): readonly Route[] {
    const { store, keys, clock } = this;
    const dependencies = { store, keys, clock, steadyClock, randomness: systemRandomness, timer: systemTimer };
    const aggregates = aggregatesIn(store);
    const erasures = new Erasures({ ...dependencies, aggregates });
    const doing = {
      aggregates,
      handler: new CommandHandler(dependencies),
      erasures,
      payments: new PaymentRecords(dependencies),
    };
    return writeRoutes({ ...dependencies, ...doing, webhookSecret, publicReadUrl: '' });
  }

  async restart(): Promise<void> {
    await this.#listening.close();
    this.#listening = await this.another();
  }

  async close(): Promise<void> {
    await this.#listening.close();
    await this.snapshots.close();
    await this.#opened.dispose();
  }

  token(as: string): Promise<string> {
    let token = this.#tokens.get(as);
    if (token === undefined) {
      const [roles = '', sub = ''] = as.split(':');
      token = issueDevelopmentToken(this.#key, { sub, roles: roles.split('+') as Role[] }, this.clock);
      this.#tokens.set(as, token);
    }
    return token;
  }

  async post(path: string, { as, key, headers, ...call }: Asked = {}, url = this.url): Promise<Reply<Answered>> {
    const token = as === undefined ? {} : { token: await this.token(as) };
    const keyHeader: Record<string, string> =
      key === null ? {} : { 'Idempotency-Key': key ?? `key-${(this.#asked += 1)}` };
    let client = this.#clients.get(url);
    if (client === undefined) this.#clients.set(url, (client = checkedClient(url, writeApiDocument)));
    return client.call<Answered>('POST', path, { ...token, ...call, headers: { ...keyHeader, ...headers } });
  }

  /** Posts and expects a 2xx answer. */
  async done(path: string, asked: Asked): Promise<Answered> {
    const reply = await this.post(path, asked);
    expect([200, 201, reply.text]).toContain(reply.status);
    return reply.body;
  }

  /** Posts and expects a problem of this kind; nothing is written. */
  async refused(path: string, asked: Asked, status: number, kind: string): Promise<Answered> {
    const before = await this.store.head();
    const reply = await this.post(path, asked);
    expect({ status: reply.status, type: reply.body['type'], text: reply.text }).toEqual({
      status,
      type: `urn:waybill:problem:${kind}`,
      text: reply.text,
    });
    expect(await this.store.head()).toBe(before);
    return reply.body;
  }

  events(stream: string): Promise<readonly RecordedEvent[]> {
    return this.store.readStream(stream, 0, 1000);
  }

  async types(stream: string): Promise<readonly string[]> {
    return (await this.events(stream)).map((event) => event.type);
  }
}

export const address = { street: '1 Harbour Road', city: 'Busan', postalCode: '48058' };

/** The pointers of a problem. */
export function pointers(problem: Answered): readonly string[] {
  return (problem['errors'] as readonly { pointer: string }[]).map(({ pointer }) => pointer);
}

export const won = (amount: number) => ({ amount, currency: 'KRW' });
