import { beforeEach, describe, expect, test } from '@jest/globals';
import type { DeliveryView } from '@waybill/projections/read-models/deliveries.js';
import {
  assigned,
  completed,
  onDelivery,
  pickedUp,
  positionAt,
  type Happening,
} from '@waybill/projections/testing/history.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import { ada, carl, cleo, olive, otto } from './testing/callers.js';
import { home, place, schedule } from './testing/orders.js';
import type { ReadSide, CallAs } from './testing/read-side.js';
import { readSideForEach } from './testing/read-side-for-each.js';

interface Page {
  readonly items: readonly DeliveryView[];
  readonly next?: string;
}

let side: ReadSide;
readSideForEach((opened) => {
  side = opened;
});
beforeEach(async () => {
  await side.history(
    await place(side, 'o1'),
    await schedule(side, 'o1', { at: '2026-02-01T00:00:00.000Z' }),
    await schedule(side, 'o2', { at: '2026-02-02T00:00:00.000Z' }),
    await schedule(side, 'o3', { at: '2026-02-03T00:00:00.000Z' }),
    await schedule(side, 'o4', { at: '2026-02-04T00:00:00.000Z' }),
    assigned('o2', 'cleo'),
    assigned('o3', 'carl'),
    assigned('o4', 'cleo'),
    pickedUp('o4', { at: '2026-02-05T00:00:00.000Z' }),
    positionAt('o4', 37.5, '2026-02-06T00:00:00.000Z'),
    completed('o4', { at: '2026-02-07T00:00:00.000Z' }),
  );
});

const list = async (query = '', as = olive) => {
  const { body } = await side.get<Page>(`/v1/deliveries${query}`, as);
  return body.items.map(({ orderId, address }) => `${orderId}${address === null ? '' : ' at home'}`);
};
const one = (orderId: string, as: CallAs) => side.get<DeliveryView>(`/v1/deliveries/${deliveryIdOf(orderId)}`, as);

describe('the list', () => {
  test('is narrowed by courier and status', async () => {
    expect(await list()).toEqual(['o4 at home', 'o3 at home', 'o2 at home', 'o1 at home']);
    expect(await list('?courierId=cleo')).toEqual(['o4 at home', 'o2 at home']);
    expect(await list('?courierId=cleo&status=delivered')).toEqual(['o4 at home']);
    expect(await list('', otto)).toEqual(['o4', 'o3', 'o2', 'o1']);
  });

  test("is a courier's own, or what is open, without addresses", async () => {
    expect(await list('', cleo)).toEqual(['o4', 'o2 at home']);
    expect(await list('?status=assigned', cleo)).toEqual(['o2 at home']);
    expect(await list('?status=open', cleo)).toEqual(['o1']);
    expect((await side.get('/v1/deliveries?courierId=carl', cleo)).status).toBe(403);
    expect((await side.get('/v1/deliveries?courierId=carl&status=open', cleo)).status).toBe(403);
  });

  test('of an auditor who also drives has the addresses of their own', async () => {
    const both: CallAs = { sub: 'cleo', roles: ['courier', 'auditor'] };
    expect(await list('?courierId=cleo', both)).toEqual(['o4', 'o2 at home']);
    expect(await list('?courierId=carl', both)).toEqual(['o3']);
  });

  test('comes in pages', async () => {
    const { body } = await side.get<Page>('/v1/deliveries?limit=3');
    expect(await list(`?limit=3&cursor=${body.next}`)).toEqual(['o1 at home']);
    expect((await side.get('/v1/deliveries?status=lost')).status).toBe(400);
  });
});

describe('a delivery', () => {
  test('is what became of it, in the words of the contract', async () => {
    const { body } = await one('o4', olive);
    expect(body).toEqual({
      deliveryId: deliveryIdOf('o4'),
      orderId: 'o4',
      customerId: 'ada',
      status: 'delivered',
      courierId: 'cleo',
      address: home,
      position: { latitude: 37.5, longitude: 4.9, at: '2026-02-06T00:00:00.000Z' },
      scheduledAt: '2026-02-04T00:00:00.000Z',
      pickedUpAt: '2026-02-05T00:00:00.000Z',
      deliveredAt: '2026-02-07T00:00:00.000Z',
      revision: 4,
      freshness: expect.anything() as unknown,
    });
  });

  test.each([
    ['the assigned courier', 'o2', cleo, home],
    ['an operator', 'o2', olive, home],
    ['an auditor', 'o2', otto, null],
    ['the customer', 'o2', ada, null],
    ['any courier, while it is open', 'o1', carl, null],
  ])('shows %s the address or null', async (_who, orderId, as, address) => {
    const { status, body } = await one(orderId, as);
    expect(status).toBe(200);
    expect(body.address).toEqual(address);
  });

  test.each([
    ['another courier', carl],
    ['another customer', { sub: 'bob', roles: ['customer'] } satisfies CallAs],
  ])('is not there for %s', async (_who, as) => {
    expect((await one('o2', as)).status).toBe(404);
  });

  describe('while it is', () => {
    /** What happens to a delivery that `cleo` takes, and who sees the address at the end. */
    const everybody = { ada, carl, cleo, olive, otto } as const;
    type Person = keyof typeof everybody;
    const taken = [assigned('o1', 'cleo'), positionAt('o1', 37.5, '2026-02-06T00:00:00.000Z')];
    const of = { deliveryId: deliveryIdOf('o1'), orderId: 'o1' };
    const releasedByCleo = onDelivery('o1', { type: 'DeliveryReleased', data: { ...of, courierId: 'cleo' } });
    const failed = onDelivery('o1', {
      type: 'DeliveryFailed',
      data: { ...of, reason: 'nobody home', next: 'return' },
    });
    const returned = onDelivery('o1', { type: 'DeliveryReturned', data: of });
    const cancelledIt = onDelivery('o1', { type: 'DeliveryCancelled', data: { ...of, reason: 'order cancelled' } });

    test.each<[stage: string, readonly Happening[], address: readonly Person[], others: readonly Person[]]>([
      ['open', [], ['olive'], ['ada', 'carl', 'cleo', 'otto']],
      ['assigned', taken, ['cleo', 'olive'], ['ada', 'otto']],
      ['given back', [...taken, releasedByCleo], ['olive'], ['ada', 'carl', 'cleo', 'otto']],
      ["another's", [...taken, releasedByCleo, assigned('o1', 'carl')], ['carl', 'olive'], ['ada', 'otto']],
      ['picked up', [...taken, pickedUp('o1')], ['cleo', 'olive'], ['ada', 'otto']],
      ['to go back', [...taken, pickedUp('o1'), failed], ['cleo', 'olive'], ['ada', 'otto']],
      ['delivered', [...taken, pickedUp('o1'), completed('o1')], ['olive'], ['ada', 'cleo', 'otto']],
      ['returned', [...taken, pickedUp('o1'), failed, returned], ['olive'], ['ada', 'cleo', 'otto']],
      ['cancelled', [...taken, cancelledIt], ['olive'], ['ada', 'cleo', 'otto']],
    ])('%s, its address is shown to whom it concerns', async (_stage, happenings, address, others) => {
      await side.history(...happenings);
      const seen: Record<string, Person[]> = { address: [], redacted: [], none: [] };
      for (const [person, as] of Object.entries(everybody) as [Person, CallAs][]) {
        const { status, body } = await one('o1', as);
        seen[status === 404 ? 'none' : body.address === null ? 'redacted' : 'address']!.push(person);
      }
      const none = (Object.keys(everybody) as Person[]).filter((each) => ![...address, ...others].includes(each));
      expect(seen).toEqual({ address, redacted: others, none });
    });

    test.each([
      ['under way', taken, ['ada', 'cleo', 'olive', 'otto']],
      ['given back', [...taken, releasedByCleo], []],
      ['delivered', [...taken, pickedUp('o1'), completed('o1')], ['olive']],
    ])('%s, the position is shown to whom it concerns', async (_stage, happenings, who) => {
      await side.history(...happenings);
      const shown: string[] = [];
      for (const [person, as] of Object.entries(everybody)) {
        if ((await one('o1', as)).body.position !== undefined) shown.push(person);
      }
      expect(shown).toEqual(who);
      await side.keys.destroy('ada');
      const isUnderWay = who.length > 1;
      expect((await one('o1', olive)).body.position !== undefined).toBe(isUnderWay);
    });
  });

  test('is waited for, by those who may see it', async () => {
    const token = await side.happen(assigned('o1', 'cleo'));
    const headers = { 'Consistency-Token': token };
    expect((await one('o1', { ...carl, headers })).status).toBe(404);
    expect(side.waited).toBe(0);
    side.whileWaiting = () => side.project();
    expect((await one('o1', { ...cleo, headers })).body).toMatchObject({ status: 'assigned', address: home });
    const list = await side.get<Page>('/v1/deliveries?status=open', { ...cleo, headers });
    expect(list.body.items).toEqual([]);
  });

  test('that is not projected in time is not shown', async () => {
    const token = await side.happen(assigned('o1', 'cleo'));
    expect((await one('o1', { ...cleo, headers: { 'Consistency-Token': token } })).status).toBe(503);
  });
});
