import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { appendUnreadable } from '@waybill/infra/event-store/testing/append-unreadable.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { address, won, WriteApi } from '../testing/write-api.js';
import type { Fate } from '../testing/faulty-store.js';
import { finishErasures } from './finish-erasures.js';

let log: MemoryEventStore;
let api: WriteApi;

const ann = 'customer:ann';
const operator = 'operator:olive';
const erasure = '/v1/customers/ann/erasure';

beforeEach(async () => {
  api = await WriteApi.start(async (clock) => {
    log = new MemoryEventStore(clock);
    return { store: log, dispose: () => log.close() };
  }, true);
  await api.done('/v1/products', { as: 'merchant:m1', body: { productId: 'tea', name: 'Tea', unitPrice: won(500) } });
  await api.done('/v1/customers', { as: ann, body: { name: 'Ann', phone: '1', address } });
  for (const street of ['Elsewhere 2', 'Elsewhere 3']) {
    await api.done('/v1/customers/ann/address', { as: ann, body: { address: { ...address, street } } });
  }
});
afterEach(() => api.close());

/** Types of all that the log holds of ann, also what her stream does not show any more. */
async function recorded(): Promise<readonly string[]> {
  return (await wholeLog(log)).filter(({ stream }) => stream === 'customer-ann').map(({ type }) => type);
}

/** Whether an older copy of the keys gives her none any more, after what a start does. */
async function isErasedForOlderKeys(): Promise<boolean> {
  const older: KeyStore = openMemoryKeyStore(systemRandomness);
  await older.create('ann');
  const { store, clock } = api;
  const report = (): void => undefined;
  const dependencies = {
    store,
    keys: older,
    clock,
    steadyClock: clock,
    randomness: systemRandomness,
    timer: systemTimer,
    report,
  };
  await finishErasures(dependencies).done;
  return (await older.find('ann')) === undefined;
}

/** What became of her stream, and the revision at which the erasure is. */
const faults = [
  ['was truncated', () => log.truncate('customer-ann', 2), 3],
  ['was truncated with all that it held', () => log.truncate('customer-ann', 3), 3],
  ['was soft-deleted', () => log.truncate('customer-ann', Infinity), 3],
  ['has a last event that cannot be read', () => appendUnreadable(log, 'customer-ann', 2), 4],
] as const;

describe.each(faults)('a customer whose stream %s', (_, harm, revision) => {
  beforeEach(async () => {
    await harm();
    await api.restart();
  });

  test('is erased by an operator: the log says so, and the key is no more', async () => {
    expect(await api.done(erasure, { as: operator, key: 'erase' })).toEqual({ customerId: 'ann', revision });
    expect(await api.keys.find('ann')).toBeUndefined();
    expect((await recorded()).slice(3)).toEqual(['CustomerErased']);
    const [erased] = (await wholeLog(log)).slice(-1);
    expect(erased).toMatchObject({
      ...{ stream: 'customer-ann', revision, partitionKey: 'ann', data: { customerId: 'ann' } },
      actor: { sub: 'olive', role: 'operator' },
    });
    expect(await isErasedForOlderKeys()).toBe(true);
  });

  test('is erased once', async () => {
    const first = await api.post(erasure, { as: operator, key: 'erase' });
    const again = await api.post(erasure, { as: operator, key: 'erase' });
    expect([again.status, again.text]).toEqual([200, first.text]);
    expect(await api.done(erasure, { as: operator })).toEqual({ customerId: 'ann', revision });
    expect((await recorded()).slice(3)).toEqual(['CustomerErased']);
  });

  test('is not erased while an order is under way, nor by others, nor at another revision', async () => {
    const matching = { as: operator, headers: { 'If-Match': '"17"' } };
    await api.refused(erasure, matching, 412, 'revision-mismatch');
    await api.refused(erasure, { as: 'customer:bob' }, 404, 'not-found');
    await api.refused(erasure, { as: 'merchant:m1' }, 403, 'forbidden');
    const data = { customerId: 'ann', lines: [], total: 0, currency: 'EUR', orderId: 'o1' };
    await log.append('order-o1', -1, [{ ...newEvent(), type: 'OrderPlaced', partitionKey: 'o1', data }]);
    const problem = await api.refused(erasure, { as: operator }, 409, 'rule-violated');
    expect(problem['detail']).toContain('These are: o1.');
    expect(await api.keys.find('ann')).toBeDefined();
    expect((await recorded()).slice(3)).toEqual([]);
  });
});

test.each([2, 3])(
  'truncated before %d, by herself and by an operator at the same moment: it is recorded once',
  async (before) => {
    log.truncate('customer-ann', before);
    const other = await api.another();
    api.store.fate = async (): Promise<Fate> => {
      api.store.fate = () => 'done';
      expect((await api.post(erasure, { as: ann })).status).toBe(200);
      return 'done';
    };
    const { status, text } = await api.post(erasure, { as: operator }, other.url);
    await other.close();
    expect([status, text]).toEqual([200, JSON.stringify({ customerId: 'ann', revision: 3 })]);
    expect((await recorded()).slice(3)).toEqual(['CustomerErased']);
    expect((await wholeLog(log)).at(-1)).toMatchObject({ actor: { sub: 'ann', role: 'customer' } });
  },
);

test('of a customer whose stream takes nothing any more the key is destroyed, and what could not be done is said', async () => {
  log.tombstone('customer-ann');
  await api.restart();
  for (let time = 0; time < 2; time += 1) {
    const { status, body } = await api.post(erasure, { as: operator });
    expect([status, body]).toEqual([
      410,
      expect.objectContaining({
        type: 'urn:waybill:problem:stream-cut',
        stream: 'customer-ann',
        firstRevision: null,
        detail: expect.stringMatching(/^The key of customer ann is destroyed.*could not be recorded/),
      }),
    ]);
  }
  expect(await api.keys.find('ann')).toBeUndefined();
});

test('of a stream that takes nothing any more nobody says at which revision it is: the key stays', async () => {
  log.tombstone('customer-ann');
  await api.restart();
  await api.refused(erasure, { as: operator, headers: { 'If-Match': '"17"' } }, 410, 'stream-cut');
  expect(await api.keys.find('ann')).toBeDefined();
});

test('who is erased already is so again, and the key with it, whatever order is met since', async () => {
  await api.done(erasure, { as: operator });
  log.truncate('customer-ann', 3);
  await api.restart();
  await appendUnreadable(log, 'order-o1', -1);
  expect(await api.done(erasure, { as: operator })).toEqual({ customerId: 'ann', revision: 3 });
});

test('an order whose customer nobody can tell keeps customers from erasing themselves; an operator decides', async () => {
  await appendUnreadable(log, 'order-o1', -1);
  await api.refused(erasure, { as: ann }, 409, 'rule-violated');
  expect(await api.keys.find('ann')).toBeDefined();
  expect(await api.done(erasure, { as: operator })).toMatchObject({ customerId: 'ann' });
  expect(await api.keys.find('ann')).toBeUndefined();
});

test('an order whose customer nobody can tell is told of where no other is under way', async () => {
  await appendUnreadable(log, 'order-o1', -1);
  const problem = await api.refused(erasure, { as: ann }, 409, 'rule-violated');
  expect(problem['detail']).toContain('Events of these cannot be read: o1.');
  expect(problem).toMatchObject({ rule: 'orders-under-way' });
  const cart = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 1 }], payment: { token: 'tok_approve' } };
  await api.done('/v1/orders', { as: ann, body: { ...cart, orderId: 'o2' } });
  const another = await api.refused(erasure, { as: ann }, 409, 'rule-violated');
  expect(another['detail']).toContain('These are: o2.');
});

test('who was erased is told so again, whatever nobody can tell of orders', async () => {
  await api.done(erasure, { as: ann });
  await appendUnreadable(log, 'order-o1', -1);
  expect(await api.done(erasure, { as: operator })).toEqual({ customerId: 'ann', revision: 3 });
});

test('the start that finishes erasures says which it cannot read', async () => {
  await appendUnreadable(log, 'customer-ann', 2);
  const said: string[] = [];
  const { store, keys, clock } = api;
  const report = (fault: Error, of: string): void => void said.push(`${of}: ${fault.message}`);
  await finishErasures({
    store,
    keys,
    clock,
    steadyClock: clock,
    randomness: systemRandomness,
    timer: systemTimer,
    report,
  }).done;
  expect(said).toEqual([
    expect.stringMatching(/^erasures: Whether customer-ann is erased cannot be told: .*revision 3/),
  ]);
});

test('an order whose stream is cut is no reason not to carry an erasure out', async () => {
  const cart = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 1 }], payment: { token: 'tok_approve' } };
  api.store.fate = async (stream): Promise<Fate> => {
    if (stream !== 'customer-ann') return 'done';
    api.store.fate = () => 'done';
    await api.done('/v1/orders', { as: ann, body: { ...cart, orderId: 'late' } });
    log.tombstone('order-late');
    return 'done';
  };
  expect(await api.done(erasure, { as: ann })).toEqual({ customerId: 'ann', revision: 3 });
  expect(await api.keys.find('ann')).toBeUndefined();
});
