import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import type { Problem } from '@waybill/infra/http/problem.js';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import {
  assigned,
  cancelled,
  completed,
  confirmed,
  dispatched,
  onPayment,
  pickedUp,
  positionAt,
} from '@waybill/projections/testing/history.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { ada, bob, cleo, lumen, olive, otto } from '../testing/callers.js';
import { home, line, place, schedule } from '../testing/orders.js';
import { ReadSide, type CallAs } from '../testing/read-side.js';
import { readSideForEach } from '../testing/read-side-for-each.js';

interface Page {
  readonly items: readonly (OrderView & { readonly freshness: { readonly lagMs: number } })[];
  readonly next?: string;
  readonly freshness: { readonly projectedAt: string | null; readonly lagMs: number };
}

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});

const at = (second: number) => ({ at: new Date(Date.UTC(2026, 1, 1, 0, 0, second)).toISOString() });
const idsOf = ({ items }: Page) => items.map(({ orderId }) => orderId);
const list = async (query = '', as = olive) => (await side.get<Page>(`/v1/orders${query}`, as)).body;
const one = (orderId: string, as = olive) => side.get<OrderView>(`/v1/orders/${orderId}`, as);

describe('the list', () => {
  beforeEach(async () => {
    const other = [line('P-2', 'm2', 'Blue shade')];
    await side.history(
      await place(side, 'o1', {}, at(1)),
      await place(side, 'o2', { customerId: 'bob', lines: other }, at(2)),
      await place(side, 'o3', { lines: [line('lamp-1', 'lumen', 'Desk Lamp'), ...other] }, at(3)),
      await place(side, 'o4', {}, at(3)),
      confirmed('o1'),
      cancelled('o3'),
    );
  });

  test('has the newest first, those of one moment by id', async () => {
    expect(idsOf(await list())).toEqual(['o4', 'o3', 'o2', 'o1']);
  });

  test.each([
    ['?customerId=ada', ['o4', 'o3', 'o1']],
    ['?customerId=nobody', []],
    ['?merchantId=m2', ['o3', 'o2']],
    ['?merchantId=m2&customerId=ada', ['o3']],
    ['?merchantId=m2&status=cancelled', ['o3']],
    ['?merchantId=lumen&status=confirmed', ['o1']],
    ['?merchantId=lumen&status=placed&placedTo=2026-02-01T00:00:02Z', []],
    ['?merchantId=m2&customerId=ada&status=cancelled', ['o3']],
    ['?merchantId=m2&customerId=ada&status=placed', []],
    ['?status=cancelled', ['o3']],
    ['?status=placed', ['o4', 'o2']],
    ['?status=placed&customerId=bob', ['o2']],
    ['?placedFrom=2026-02-01T00:00:02Z', ['o4', 'o3', 'o2']],
    ['?placedTo=2026-02-01T00:00:02Z', ['o2', 'o1']],
    ['?placedFrom=2026-02-01T00:00:02Z&placedTo=2026-02-01T09:00:02%2B09:00', ['o2']],
    ['?q=lamp', ['o4', 'o3', 'o1']],
    ['?q=DESK%20la', ['o4', 'o3', 'o1']],
    ['?q=o2', ['o2']],
    ['?q=p-2&status=cancelled', ['o3']],
    ['?q=seoul', []],
  ])('%s finds %j', async (query, ids) => {
    expect(idsOf(await list(query))).toEqual(ids);
  });

  test.each([
    ['?merchantId=lumen&status=delivered'],
    ['?customerId=ada&status=delivered'],
    ['?status=delivered&placedFrom=2026-02-01T00:00:02Z'],
  ])('%s looks at no other orders', async (query) => {
    side.candidates = 1;
    const page = await list(query);
    expect([page.items, page.next]).toEqual([[], undefined]);
  });

  test('goes on behind a page that is short as enough orders were looked at', async () => {
    side.candidates = 2;
    const first = await list('?q=lamp');
    expect(idsOf(first)).toEqual(['o4', 'o3']);
    const second = await list(`?q=lamp&cursor=${first.next}`);
    expect([idsOf(second), second.next]).toEqual([['o1'], undefined]);
  });

  test('goes on behind what its reader may not see, and tells nothing of it', async () => {
    const others = { lines: [line('p-9', 'm9', 'Secret')] };
    const hidden = ['hidden-1', 'hidden-2', 'hidden-3'];
    for (const [index, orderId] of hidden.entries())
      await side.happen(await place(side, orderId, others, at(10 + index)));
    await side.project();
    side.candidates = 2;
    const query = '?customerId=ada';
    const first = await list(query, lumen);
    expect(first.items).toEqual([]);
    const told = Buffer.from(first.next!, 'base64url').toString('latin1');
    expect(told).not.toContain('hidden');
    expect(told).not.toContain('2026');
    const met: string[] = [];
    for (let page = first; page.next !== undefined;) {
      page = await list(`${query}&cursor=${page.next}`, lumen);
      met.push(...idsOf(page));
    }
    expect(met).toEqual(['o4', 'o3', 'o1']);
    const changed = `${first.next!.slice(0, -4)}AAAA`;
    expect((await side.get(`/v1/orders${query}&cursor=${changed}`, lumen)).status).toBe(400);
    expect((await side.get(`/v1/products?cursor=${first.next}`, lumen)).status).toBe(400);
  });

  test('comes in pages', async () => {
    const first = await list('?limit=3');
    expect(idsOf(first)).toEqual(['o4', 'o3', 'o2']);
    const second = await list(`?limit=3&cursor=${first.next}`);
    expect(idsOf(second)).toEqual(['o1']);
    expect(second.next).toBeUndefined();
  });

  test('has 20 on a page unless told otherwise', async () => {
    for (let number = 0; number < 21; number += 1) await side.happen(await place(side, `more${number}`));
    await side.project();
    expect((await list()).items).toHaveLength(20);
    expect((await list('?limit=100')).items).toHaveLength(25);
  });

  test.each([
    ['?limit=101', 'limit'],
    ['?status=lost', 'status'],
    ['?cursor=abc', 'cursor'],
    ['?customerId=a&customerId=b', 'customerId'],
    ['?placedFrom=yesterday', 'placedFrom'],
    ['?placedFrom=2026-02-02T00:00:00Z&placedTo=2026-02-01T00:00:00Z', 'placedFrom'],
    ['?page=2', 'page'],
  ])('%s is refused by name', async (query, parameter) => {
    const { status, body } = await side.get<Problem>(`/v1/orders${query}`);
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ parameter }]);
  });

  test('a cursor of another list is refused', async () => {
    await side.history(await schedule(side, 'o1'), await schedule(side, 'o2'));
    const { body } = await side.get<Page>('/v1/deliveries?limit=1');
    expect(body.next).toBeDefined();
    expect((await side.get(`/v1/orders?cursor=${body.next}`)).status).toBe(400);
  });

  test('is that of the customer who asks', async () => {
    expect(idsOf(await list('', ada))).toEqual(['o4', 'o3', 'o1']);
    expect(idsOf(await list('?customerId=ada&status=cancelled', ada))).toEqual(['o3']);
    expect(idsOf(await list('?merchantId=m2', ada))).toEqual(['o3']);
    expect((await side.get('/v1/orders?customerId=bob', ada)).status).toBe(403);
  });

  test('is that of the merchant who asks', async () => {
    expect(idsOf(await list('', lumen))).toEqual(['o4', 'o3', 'o1']);
    expect(idsOf(await list('?customerId=bob', lumen))).toEqual([]);
    expect((await side.get('/v1/orders?merchantId=m2', lumen)).status).toBe(403);
  });

  test('is either for a merchant who also buys', async () => {
    const both: CallAs = { sub: 'm2', roles: ['customer', 'merchant'] };
    await side.history(await place(side, 'bought', { customerId: 'm2' }, at(9)));
    expect(idsOf(await list('', both))).toEqual(['bought']);
    expect(idsOf(await list('?customerId=m2', both))).toEqual(['bought']);
    expect(idsOf(await list('?merchantId=m2', both))).toEqual(['o3', 'o2']);
    expect((await side.get('/v1/orders?customerId=ada', both)).status).toBe(200);
    expect(idsOf(await list('?customerId=ada', both))).toEqual(['o3']);
    expect((await side.get('/v1/orders?merchantId=lumen&customerId=ada', both)).status).toBe(403);
  });

  test.each([
    ['the customer', ada, home],
    ['an operator', olive, home],
    ['an auditor', otto, null],
    ['a merchant', lumen, null],
  ])('shows %s the address: %s', async (_who, as, address) => {
    for (let time = 0; time < 2; time += 1) {
      for (const { deliveryAddress } of (await list('?status=placed&merchantId=lumen', as)).items) {
        expect(deliveryAddress).toEqual(address);
      }
    }
  });

  test('shows no address whose key was destroyed, from that moment on', async () => {
    expect((await list('', ada)).items[0]?.deliveryAddress).toEqual(home);
    expect((await list('', ada)).items[0]?.deliveryAddress).toEqual(home);
    await side.keys.destroy('ada');
    expect((await list('', ada)).items[0]?.deliveryAddress).toBeNull();
    expect((await one('o1')).body.deliveryAddress).toBeNull();
    expect((await list('?customerId=bob')).items[0]?.deliveryAddress).toEqual(home);
  });

  test('is not given again as it was read, where something was projected before it was answered', async () => {
    const status = async () => (await list('', ada)).items.find(({ orderId }) => orderId === 'o4')?.status;
    // Keys are looked for when the documents are read and the answer is not written yet.
    const find = jest.spyOn(side.keys, 'find');
    const key = await side.keys.find('ada');
    find.mockImplementationOnce(async () => {
      await side.history(confirmed('o4'));
      return key;
    });
    expect(await status()).toBe('placed');
    find.mockRestore();
    expect(await status()).toBe('confirmed');
  });
});

describe('pages', () => {
  test('followed to the end while orders come and change, have every order that stood still exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
        fc.array(fc.record({ second: fc.nat(5), change: fc.boolean() }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 4 }),
        async (seconds, meanwhile, limit) => {
          const run = await ReadSide.open();
          try {
            const standing = seconds.map((_, index) => `s${index}`);
            for (const [index, second] of seconds.entries()) {
              await run.happen(await place(run, standing[index]!, {}, at(second)));
            }
            await run.project();
            const met: string[] = [];
            let pages = 0;
            for (let query = `?limit=${limit}`; ; pages += 1) {
              const page: Page = (await run.get<Page>(`/v1/orders${query}`)).body;
              met.push(...idsOf(page));
              if (page.next === undefined) break;
              query = `?limit=${limit}&cursor=${page.next}`;
              const event = meanwhile[pages];
              if (event !== undefined) {
                await run.history(await place(run, `new${pages}`, {}, at(event.second)));
                if (event.change) await run.history(confirmed(standing[0]!));
              }
            }
            expect(new Set(met).size).toBe(met.length);
            expect(met.filter((orderId) => orderId.startsWith('s')).sort()).toEqual(standing.sort());
          } finally {
            await run.close();
          }
        },
      ),
      { numRuns: runs(5, 40) },
    );
  });
});

describe('an order', () => {
  test('is what became of it, in the words of the contract', async () => {
    await side.history(
      await place(side, 'o1', { promisedBy: '2026-03-05T00:00:00.000Z' }, at(1)),
      onPayment('o1', { type: 'PaymentAuthorised', data: { orderId: 'o1', amount: 18000, currency: 'KRW' } }, at(2)),
      confirmed('o1', at(3)),
      await schedule(side, 'o1', at(4)),
      assigned('o1', 'cleo', at(5)),
      dispatched('o1', at(6)),
      pickedUp('o1', at(6)),
      completed('o1', at(7)),
    );
    const { status, body } = await one('o1', ada);
    expect(status).toBe(200);
    expect(body).toEqual({
      orderId: 'o1',
      customerId: 'ada',
      status: 'delivered',
      lines: [{ productId: 'lamp-1', name: 'Desk Lamp', quantity: 1, unitPrice: { amount: 18000, currency: 'KRW' } }],
      total: { amount: 18000, currency: 'KRW' },
      placedAt: at(1).at,
      promisedBy: '2026-03-05T00:00:00.000Z',
      confirmedAt: at(3).at,
      payment: { status: 'authorised' },
      delivery: {
        deliveryId: expect.any(String) as unknown,
        status: 'delivered',
        courierId: 'cleo',
        pickedUpAt: at(6).at,
        deliveredAt: at(7).at,
      },
      deliveryAddress: home,
      revision: 2,
      freshness: { projectedAt: new Date(side.clock.now()).toISOString(), lagMs: 0 },
    });
  });

  describe('is seen by', () => {
    beforeEach(async () => {
      await side.history(await place(side, 'o1'), await schedule(side, 'o1'), assigned('o1', 'cleo'));
    });

    test.each([
      ['its customer', ada, home],
      ['its courier', cleo, home],
      ['an operator', olive, home],
      ['its merchant', lumen, null],
      ['an auditor', otto, null],
    ])('%s', async (_who, as, deliveryAddress) => {
      const { status, body } = await one('o1', as);
      expect(status).toBe(200);
      expect(body.deliveryAddress).toEqual(deliveryAddress);
    });

    test('its courier without the address once it is off their hands', async () => {
      await side.history(pickedUp('o1'), completed('o1'));
      const { status, body } = await one('o1', cleo);
      expect([status, body.status, body.deliveryAddress]).toEqual([200, 'delivered', null]);
    });

    test.each([
      ['another customer', bob],
      ['another courier', { sub: 'carl', roles: ['courier'] } satisfies CallAs],
      ['another merchant', { sub: 'm9', roles: ['merchant'] } satisfies CallAs],
      ["a courier with the customer's id", { sub: 'ada', roles: ['courier'] } satisfies CallAs],
      ["a customer with the merchant's id", { sub: 'lumen', roles: ['customer'] } satisfies CallAs],
    ])('not by %s, as if it were not there', async (_who, as) => {
      const hidden = await side.get<Problem>('/v1/orders/o1', as);
      const missing = await side.get<Problem>('/v1/orders/o2', as);
      expect(hidden.status).toBe(404);
      expect(hidden.text.replaceAll('o1', 'o2')).toBe(missing.text);
      for (const path of ['/v1/orders/o1?asOf=2026-12-01T00:00:00Z', '/v1/orders/o1/timeline']) {
        expect((await side.get(path, as)).status).toBe(404);
      }
    });
  });

  test('has a tag by which it is known to be unchanged', async () => {
    await side.history(await place(side, 'o1'), await schedule(side, 'o1'));
    const first = await one('o1', ada);
    const tag = first.headers.get('ETag')!;
    expect(tag).toMatch(/^W\/"/);
    side.pass(5000);
    const again = await one('o1', { ...ada, headers: { 'If-None-Match': `"x", ${tag}` } });
    expect(again.status).toBe(304);
    expect(again.text).toBe('');
    expect(again.headers.get('ETag')).toBe(tag);
    expect((await one('o1', { ...otto, headers: { 'If-None-Match': tag } })).status).toBe(200);
    await side.history(positionAt('o1', 37.5, at(9).at));
    const moved = await one('o1', { ...ada, headers: { 'If-None-Match': tag } });
    expect(moved.status).toBe(200);
    expect(moved.headers.get('ETag')).not.toBe(tag);
  });
});

describe('freshness', () => {
  test('is how old the oldest event is that is not projected yet', async () => {
    await side.history(await place(side, 'o1'));
    expect((await list()).freshness).toEqual({ projectedAt: new Date(side.clock.now()).toISOString(), lagMs: 0 });
    await side.happen(confirmed('o1'));
    side.pass(700);
    await side.happen(cancelled('o1'));
    side.pass(800);
    expect((await one('o1')).body).toMatchObject({ status: 'placed', freshness: { lagMs: 1500 } });
    const page = await list();
    expect(page.freshness.lagMs).toBe(1500);
    expect(page.items[0]?.freshness.lagMs).toBe(1500);
    await side.project();
    expect((await one('o1')).body).toMatchObject({ status: 'cancelled', freshness: { lagMs: 0 } });
    expect((await list()).items[0]).toMatchObject({ status: 'cancelled', freshness: { lagMs: 0 } });
  });

  test('of an empty list names no time', async () => {
    expect((await list()).freshness).toEqual({ projectedAt: null, lagMs: 0 });
  });
});

describe('with a Consistency-Token', () => {
  const headersOf = (token: string, prefer?: string) => ({
    headers: { 'Consistency-Token': token, ...(prefer === undefined ? {} : { Prefer: prefer }) },
  });

  test.each([['/v1/orders/o1'], ['/v1/orders'], ['/v1/orders?customerId=ada'], ['/v1/reports/daily']])(
    '%s waits until the write shows',
    async (path) => {
      const token = await side.happen(await place(side, 'o1', {}, { at: '2026-03-01T11:00:00.000Z' }));
      side.whileWaiting = () => side.project();
      const { status, text } = await side.get(path, { ...olive, ...headersOf(token) });
      expect(status).toBe(200);
      expect(side.waited).toBeGreaterThan(0);
      expect(text).toMatch(/"o1"|"placed":1/);
    },
  );

  test('does not wait for what shows already', async () => {
    const token = await side.happen(await place(side, 'o1'));
    await side.project();
    const { status, headers } = await one('o1', { ...ada, ...headersOf(token, 'wait=7') });
    expect(status).toBe(200);
    expect(headers.get('Preference-Applied')).toBe('wait=7');
    expect(side.waited).toBe(0);
  });

  test.each([
    ['2 s', undefined, 2000],
    ['as long as it prefers', 'wait=5', 5000],
    ['10 s at most', 'wait=60', 10_000],
    ['not at all', 'wait=0', 0],
  ])('waits %s while nothing is projected, then says so', async (_what, prefer, waited) => {
    const token = await side.happen(await place(side, 'o1'));
    for (const path of ['/v1/orders/o1', '/v1/orders']) {
      side.waited = 0;
      const { status, headers, body } = await side.get<Problem>(path, { ...ada, ...headersOf(token, prefer) });
      expect(status).toBe(503);
      expect(body.type).toBe('urn:waybill:problem:read-model-behind');
      expect(headers.get('Retry-After')).not.toBeNull();
      expect(side.waited).toBe(waited);
    }
  });

  test('answers at once what the log knows', async () => {
    const token = await side.happen(await place(side, 'o1'));
    for (const path of ['/v1/orders/o1?asOf=2026-12-01T00:00:00Z', '/v1/orders/o1/timeline']) {
      expect((await side.get(path, { ...ada, ...headersOf(token) })).status).toBe(200);
    }
    expect(side.waited).toBe(0);
  });

  test('is authorised before it waits', async () => {
    const token = await side.happen(await place(side, 'o1'));
    expect((await one('o1', { ...bob, ...headersOf(token) })).status).toBe(404);
    expect((await side.get('/v1/orders?customerId=ada', { ...bob, ...headersOf(token) })).status).toBe(403);
    expect(side.waited).toBe(0);
  });

  test('lets a courier wait who is assigned in the log alone', async () => {
    await side.history(await place(side, 'o1'), await schedule(side, 'o1'));
    const token = await side.happen(assigned('o1', 'cleo'));
    side.whileWaiting = () => side.project();
    const { status, body } = await one('o1', { ...cleo, ...headersOf(token) });
    expect(status).toBe(200);
    expect(body).toMatchObject({ delivery: { courierId: 'cleo' }, deliveryAddress: home });
  });
});
