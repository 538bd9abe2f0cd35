import { beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import { deliveries } from '@waybill/projections/read-models/deliveries.js';
import {
  assigned,
  completed,
  confirmed,
  onDelivery,
  pickedUp,
  positionAt,
  type Happening,
} from '@waybill/projections/testing/history.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { ada, bob, carl, cleo, lumen, olive, otto } from './testing/callers.js';
import { place, schedule } from './testing/orders.js';
import type { CallAs, ReadSide } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

/** A delivery with so many positions, a second apart, on either side of its pick-up. */
const positions = 1_020;
const second = (number: number) => new Date(Date.UTC(2026, 2, 1, 12, 0, number)).toISOString();
const deliveryId = deliveryIdOf('o1');

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const reported = (from: number): readonly Happening[] =>
  Array.from({ length: positions }, (_, index) => positionAt('o1', 37.5, second(from + index)));

beforeEach(async () => {
  await side.history(
    await place(side, 'o1', {}, { at: second(0) }),
    confirmed('o1', { at: second(1) }),
    await schedule(side, 'o1', { at: second(2) }),
    assigned('o1', 'cleo', { at: second(3) }),
    ...reported(10),
    pickedUp('o1', { at: second(10 + positions) }),
    ...reported(20 + positions),
  );
  side.reads.length = 0;
});

/** What a request reads of the log: how many events each time. */
async function reads(path: string, as: CallAs, status: number): Promise<readonly number[]> {
  side.reads.length = 0;
  expect({ path, status: (await side.get(path, as)).status }).toEqual({ path, status });
  return [...side.reads];
}

const withToken = async (as: CallAs): Promise<CallAs> => ({
  ...as,
  headers: { 'consistency-token': await side.happen(confirmed('o2')) },
});

describe('whose a long delivery is', () => {
  const past = `?asOf=${second(5)}`;

  test.each(['/timeline', past])(
    'is decided for a stranger at the price of an order that is not there: %s',
    async (of) => {
      expect(await reads(`/v1/orders/none${of}`, bob, 404)).toEqual([0]);
      expect(await reads(`/v1/orders/o1${of}`, bob, 404)).toEqual([1]);
      expect(await reads(`/v1/orders/o1${of}`, { sub: 'mall', roles: ['merchant'] }, 404)).toEqual([1]);
      // A courier may have been given it since it was projected: what came after that is looked at, and nothing did.
      expect(await reads(`/v1/orders/o1${of}`, carl, 404)).toEqual([1, 0, 0, 0]);
    },
  );

  test('is decided as soon for whoever would wait', async () => {
    expect(await reads('/v1/orders/o1', await withToken(bob), 404)).toEqual([1]);
    expect(await reads('/v1/orders/o1', await withToken(carl), 404)).toEqual([1, 0, 0, 0]);
    expect(await reads(`/v1/deliveries/${deliveryId}`, await withToken(carl), 404)).toEqual([0]);
    expect(await reads(`/v1/deliveries/${deliveryId}`, await withToken(bob), 404)).toEqual([0]);
  });

  test('is decided by the log for a courier whom no document knows yet', async () => {
    await side.happen(await place(side, 'o3'), await schedule(side, 'o3'));
    expect((await side.get('/v1/orders/o3/timeline', carl)).status).toBe(404);
    await side.happen(assigned('o3', 'carl'));
    expect((await side.get('/v1/orders/o3/timeline', carl)).status).toBe(200);
    await side.project();
    await side.happen(onDelivery('o3', { type: 'DeliveryReleased', data: { ...of('o3'), courierId: 'carl' } }));
    expect((await side.get('/v1/orders/o3/timeline', carl)).status).toBe(404);
  });
});

function of(orderId: string) {
  return { deliveryId: deliveryIdOf(orderId), orderId };
}

describe('the timeline of a long delivery', () => {
  interface Page {
    readonly events: readonly { readonly position: string; readonly data: Readonly<Record<string, unknown>> }[];
    readonly next?: string;
  }

  async function pages(as: CallAs, query = ''): Promise<readonly Page[]> {
    const found: Page[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const at: string = cursor === '' ? query : `${query === '' ? '?' : `${query}&`}cursor=${cursor}`;
      const { status, body } = await side.get<Page>(`/v1/orders/o1/timeline${at}`, as);
      expect(status).toBe(200);
      found.push(body);
      cursor = body.next;
    }
    return found;
  }

  test('comes in pages of a thousand, or fewer, that are the whole together', async () => {
    const all = await pages(ada);
    expect(all.map(({ events }) => events.length)).toEqual([1_000, 1_000, 45]);
    const whole = all.flatMap(({ events }) => events);
    expect(new Set(whole.map(({ position }) => position)).size).toBe(2 * positions + 5);
    expect((await pages(ada, '?limit=700')).flatMap(({ events }) => events)).toEqual(whole);
    expect(Math.max(...side.reads)).toBe(251);
  });

  test('is read one piece in a turn of the event loop, however many ask at once', async () => {
    let turn = 0;
    const count = (): void => {
      turn += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const turns: number[] = [];
    side.whenRead = (events) => {
      if (events > 100) turns.push(turn);
    };
    const asked = [olive, olive, ada, otto].map((as) => side.get('/v1/orders/o1/timeline', as));
    for (const { status } of await Promise.all([...asked, side.get('/v1/customers/ada/data', ada)])) {
      expect([200, 404]).toContain(status);
    }
    clearImmediate(timer);
    expect(turns).toHaveLength(4 * 4);
    expect(new Set(turns).size).toBe(turns.length);
  });

  test('shows on every page what its reader may see by then', async () => {
    const { next } = (await side.get<Page>('/v1/orders/o1/timeline', lumen)).body;
    await side.happen(completed('o1'));
    const { events } = (await side.get<Page>(`/v1/orders/o1/timeline?cursor=${next}`, lumen)).body;
    expect(events[1]?.data).toMatchObject({ latitude: null, longitude: null });
    for (const as of [olive, ada]) {
      const seen = (await side.get<Page>(`/v1/orders/o1/timeline?cursor=${next}`, as)).body.events;
      expect(seen[1]?.data).toMatchObject({ latitude: 37.5 });
    }
    expect((await side.get(`/v1/orders/o1/timeline?cursor=${next}`, bob)).status).toBe(404);
  });

  test.each(['limit=0', 'limit=1001', 'limit=ten', 'cursor=nonsense'])('refuses %s', async (query) => {
    expect((await side.get(`/v1/orders/o1/timeline?${query}`, ada)).status).toBe(400);
  });

  test('takes no cursor of another', async () => {
    const { next } = (await side.get<Page>('/v1/orders/o1/timeline', ada)).body;
    await side.happen(await place(side, 'o4'));
    expect((await side.get(`/v1/orders/o4/timeline?cursor=${next}`, ada)).status).toBe(400);
  });
});

describe('the past of a long delivery', () => {
  // All of it is past by then.
  beforeEach(() => side.pass(1_000 * (60 + 2 * positions)));
  const times = [2, 3, 500, 9 + positions, 10 + positions, 100 + positions, 30 + 2 * positions].map(second);
  const pastsOf = async () => {
    const found: OrderView[] = [];
    for (const time of times) {
      for (const axis of ['asOf', 'knownAt']) {
        found.push((await side.get<OrderView>(`/v1/orders/o1?${axis}=${time}`, olive)).body);
      }
    }
    return found;
  };

  test('is read without its positions, and is the same', async () => {
    await side.happen(completed('o1', { at: second(25 + 2 * positions) }));
    const pasts = await pastsOf();
    expect(pasts.map(({ status }) => status)).toContain('out_for_delivery');
    expect(Math.max(...side.reads)).toBeLessThanOrEqual(2);
    side.down.add('read store');
    expect(await pastsOf()).toEqual(pasts);
    expect(Math.max(...side.reads)).toBe(250);
  });

  test('is read whole where its document does not say what to read', async () => {
    const pasts = await pastsOf();
    // As a document of an earlier version is, and one of more steps than are kept account of.
    for (const steps of [undefined, null]) {
      await side.spoil(deliveries, deliveryId, 'delivery', { steps });
      expect(await pastsOf()).toEqual(pasts);
    }
  });

  test('costs strangers who might be couriers nothing more, and others no more than one page at a time', async () => {
    for (const as of [ada, cleo, lumen, otto]) {
      const found = await reads(`/v1/orders/o1?asOf=${second(20 + positions)}`, as, 200);
      expect(Math.max(...found)).toBeLessThanOrEqual(2);
    }
  });
});
