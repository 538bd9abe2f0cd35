import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { openMemorySnapshotStore } from '@waybill/infra/snapshots/memory/snapshot-store.js';
import { Unavailable, WaybillError } from '@waybill/shared-kernel/errors.js';
import { formerRequestIdOf, requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { serviceSubject, type KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { aggregatesIn } from './aggregates.js';
import { CommandHandler, type Handled } from './handle-command.js';
import type { OrderCommand, OrderState } from '../ordering/order.js';
import { FaultyStore } from '../testing/faulty-store.js';
import { AggregateSnapshots } from './snapshots/aggregate-snapshots.js';

/** What several processes share. */
interface Shared {
  readonly keys: KeyStore;
  readonly snapshots: ReturnType<typeof openMemorySnapshotStore>;
}

/** A process of the write API, without its HTTP. */
class Process {
  readonly orders;
  readonly snapshots: AggregateSnapshots;
  readonly #handler: CommandHandler;

  constructor(
    readonly store: EventStore,
    { keys, snapshots }: Shared,
  ) {
    const dependencies = { store, keys, clock: systemClock, randomness: systemRandomness, timer: systemTimer };
    this.snapshots = new AggregateSnapshots(
      { ...dependencies, clock: steadyClock, store: snapshots, report: () => {} },
      { every: 0 },
    );
    this.orders = aggregatesIn(store, this.snapshots).orders;
    this.#handler = new CommandHandler(dependencies);
  }

  /** Ann places an order; its price is that of the catalogue as this process knows it. She acts in the last of her roles. */
  place(
    key: string,
    chosenId?: string,
    unitPrice = 500,
    roles: readonly [string, ...string[]] = ['customer'],
  ): Promise<Handled<OrderState>> {
    const line = { productId: 'p', merchantId: 'm', name: 'Tea', quantity: 1, unitPrice, freight: null };
    const request = {
      route: '/v1/orders',
      caller: 'ann',
      roles,
      key: {
        idIn: (role: string) => requestIdOf('ann', role, 'POST', '/v1/orders', key),
        formerId: formerRequestIdOf('ann', 'POST', '/v1/orders', key),
      },
      payload: { orderId: chosenId, quantity: 1 },
      matches: undefined,
      correlationId: 'c',
      traceparent: undefined,
    };
    return this.#handler.create(this.orders, request, {
      chosenId,
      authorise: () => roles.at(-1)!,
      subject: () => 'ann',
      command: (orderId): OrderCommand => ({
        type: 'PlaceOrder',
        order: {
          ...{ orderId, customerId: 'ann', lines: [line], currency: 'KRW', total: unitPrice, promisedBy: null },
          ...{ deliveryAddress: `sealed.1.ann.${unitPrice}`, paymentToken: 'tok_approve' },
        },
      }),
    });
  }
}

const outcomeOf = async (placing: Promise<Handled<OrderState>>): Promise<string> => {
  try {
    return (await placing).replayed ? 'the first answer' : 'placed';
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return error.kind;
  }
};

const logs: readonly (readonly [string, (folder: string) => () => EventStore])[] = [
  [
    'memory',
    () => {
      const store = new MemoryEventStore(systemClock);
      return () => store;
    },
  ],
  ['sqlite', (folder) => () => openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock })],
];

describe.each(logs)('two write APIs on one log, one Idempotency-Key, %s', (_, logIn) => {
  const rounds = 60;
  let folder: string;
  let shared: Shared;
  let open: () => EventStore;
  let one: Process;
  let other: Process;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'waybill-one-key-'));
    shared = { keys: openMemoryKeyStore(systemRandomness), snapshots: openMemorySnapshotStore() };
    await shared.keys.create('ann');
    open = logIn(folder);
    [one, other] = [new Process(open(), shared), new Process(open(), shared)];
  });
  afterEach(async () => {
    await Promise.all([one, other].map(({ snapshots }) => snapshots.close()));
    await Promise.all([one, other].map(({ store }) => store.close()));
    await rm(folder, { recursive: true });
  });

  const placedIn = async (store: EventStore): Promise<readonly string[]> =>
    (await wholeLog(store)).flatMap(({ type, data }) => (type === 'OrderPlaced' ? [String(data['orderId'])] : []));

  test.each<[string, (round: number) => readonly [string | undefined, string | undefined]]>([
    ['two chosen ids', (round) => [`x${round}`, `y${round}`]],
    ['one chosen id', (round) => (round % 2 === 0 ? [undefined, `y${round}`] : [`x${round}`, undefined])],
  ])('and %s: exactly one order', async (_case, ids) => {
    for (let round = 0; round < rounds; round += 1) {
      const [x, y] = ids(round);
      const key = `k${round}`;
      const outcomes = await Promise.all([outcomeOf(one.place(key, x)), outcomeOf(other.place(key, y))]);
      expect(outcomes.toSorted()).toEqual(['idempotency-key-reused', 'placed']);
      // And ever after, at whichever process.
      const [winner, loser] = outcomes[0] === 'placed' ? [x, y] : [y, x];
      expect(await outcomeOf(other.place(key, winner))).toBe('the first answer');
      expect(await outcomeOf(one.place(key, loser))).toBe('idempotency-key-reused');
    }
    expect(await placedIn(one.store)).toHaveLength(rounds);
  });

  test.each([
    ['none chosen', () => undefined],
    ['the same chosen', (round: number) => `z${round}`],
  ])('and one payload, the id %s: one order, and both answer and remember what the log has', async (_case, idOf) => {
    for (let round = 0; round < rounds; round += 1) {
      // The catalogue changed in between.
      const placing = [one.place(`k${round}`, idOf(round), 500), other.place(`k${round}`, idOf(round), 900)];
      const [first, second] = (await Promise.all(placing)) as [Handled<OrderState>, Handled<OrderState>];
      expect([first.replayed, second.replayed].toSorted()).toEqual([false, true]);
      expect(first.state).toEqual(second.state);
      await Promise.all([one, other].map(({ snapshots }) => snapshots.settled()));
      const whole = await aggregatesIn(one.store).orders.load(first.id);
      for (const { orders } of [one, other, new Process(one.store, shared)]) {
        expect((await orders.load(first.id)).state).toEqual(whole.state);
      }
    }
    expect(await placedIn(one.store)).toHaveLength(rounds);
  });

  const bothRoles = [
    ['operator', 'customer'],
    ['customer', 'operator'],
  ] as const;

  test.each<[string, (round: number) => readonly [string | undefined, string | undefined], string]>([
    ['two ids', (round) => [`x${round}`, `y${round}`], 'idempotency-key-reused'],
    ['one payload', () => [undefined, undefined], 'the first answer'],
  ])('and one caller in two roles, %s: exactly one order', async (_case, ids, lost) => {
    for (let round = 0; round < rounds; round += 1) {
      const [x, y] = ids(round);
      const key = `k${round}`;
      const outcomes = await Promise.all([
        outcomeOf(one.place(key, x, 500, bothRoles[0])),
        outcomeOf(other.place(key, y, 500, bothRoles[1])),
      ]);
      expect(outcomes.toSorted()).toEqual([lost, 'placed'].toSorted());
      const [winner, loser] = outcomes[0] === 'placed' ? [x, y] : [y, x];
      for (const roles of bothRoles) {
        expect(await outcomeOf(other.place(key, winner, 500, roles))).toBe('the first answer');
        expect(await outcomeOf(one.place(key, loser, 500, roles))).toBe(lost);
      }
    }
    expect(await placedIn(one.store)).toHaveLength(rounds);
  });

  test('of pointers in two roles the first in the log binds, also after a crash', async () => {
    const crashing = new FaultyStore(other.store);
    const crashed = new Process(crashing, shared);
    crashing.fate = async (stream) => {
      if (!stream.startsWith('request-')) return 'lost' as const;
      // Both have found none, and this one is first.
      crashing.fate = (next) => (next.startsWith('order-') ? 'lost' : 'done');
      expect(await outcomeOf(crashed.place('k', 'x', 500, bothRoles[0]))).toBe('unavailable');
      return 'done' as const;
    };
    const late = new Process(crashing, shared);
    expect(await outcomeOf(late.place('k', 'y', 500, bothRoles[1]))).toBe('idempotency-key-reused');
    for (const roles of bothRoles)
      expect(await outcomeOf(one.place('k', 'y', 500, roles))).toBe('idempotency-key-reused');
    expect(await outcomeOf(one.place('k', 'x', 500, bothRoles[1]))).toBe('placed');
    expect(await outcomeOf(other.place('k', 'x', 500, bothRoles[0]))).toBe('the first answer');
    expect(await placedIn(one.store)).toEqual(['x']);
    await Promise.all([crashed, late].map(({ snapshots }) => snapshots.close()));
  });

  test('who finds the pointer alone, and then the order of it, has the first answer', async () => {
    const crashing = new FaultyStore(other.store);
    crashing.fate = (stream) => (stream.startsWith('order-') ? 'lost' : 'done');
    const late = new Process(crashing, shared);
    expect(await outcomeOf(late.place('k'))).toBe('unavailable');
    const { readStream } = crashing;
    crashing.readStream = async (...asked) => {
      const page = await readStream(...asked);
      if (!asked[0].startsWith('order-')) return page;
      crashing.readStream = readStream;
      expect(await outcomeOf(one.place('k'))).toBe('placed');
      return page;
    };
    expect(await outcomeOf(late.place('k'))).toBe('the first answer');
    expect(await placedIn(one.store)).toHaveLength(1);
    await late.snapshots.close();
  });

  test('a pointer is appended to no stream only, however late', async () => {
    const late = new FaultyStore(other.store);
    late.fate = async (stream) => {
      if (stream.startsWith('request-'))
        expect(await outcomeOf(one.place('k', 'x'))).toMatch(/placed|the first answer/);
      return 'done' as const;
    };
    expect(await outcomeOf(new Process(late, shared).place('k', 'y'))).toBe('idempotency-key-reused');
    expect(await placedIn(one.store)).toEqual(['x']);
  });

  test('a request that comes for the first time is not looked for; one that came before is', async () => {
    const counting = new FaultyStore(other.store);
    const { readStream } = counting;
    const read: string[] = [];
    counting.readStream = (stream, ...where) => {
      read.push(stream);
      return readStream(stream, ...where);
    };
    const process = new Process(counting, shared);
    const pointer = `request-${requestIdOf('ann', 'customer', 'POST', '/v1/orders', 'k')}`;
    const { stream } = await process.place('k');
    expect(read).not.toContain(pointer);
    expect(read).not.toContain(stream);
    expect(await outcomeOf(process.place('k'))).toBe('the first answer');
    expect(read).toContain(pointer);
    await process.snapshots.close();
  });

  test('where the log takes nothing, a request is refused at once', async () => {
    const down = new FaultyStore(other.store);
    let appends = 0;
    down.fate = () => {
      appends += 1;
      return 'lost';
    };
    const process = new Process(down, shared);
    expect(await outcomeOf(process.place('k'))).toBe('unavailable');
    expect(appends).toBe(1);
    await process.snapshots.close();
  });

  test('without the key store no id can be made, and one that was lost is not made anew', async () => {
    const down = { ...shared.keys, create: () => Promise.reject(new Unavailable('key store', 'It is down.')) };
    const without = new Process(one.store, { ...shared, keys: down });
    await expect(without.place('k')).rejects.toBeInstanceOf(Unavailable);
    expect(await outcomeOf(without.place('k', 'chosen'))).toBe('placed');
    await shared.keys.destroy(serviceSubject);
    const refused = one.place('l');
    await expect(refused).rejects.toThrow('The service key was destroyed.');
    await expect(refused).rejects.toBeInstanceOf(Unavailable);
    await without.snapshots.close();
  });
});
