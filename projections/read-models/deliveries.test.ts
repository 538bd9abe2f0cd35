import { describe, expect, test } from '@jest/globals';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import fc from 'fast-check';
import { deliveries, deliveryView } from './deliveries.js';
import { foldDocument } from './fold-document.js';
import {
  assigned,
  completed,
  onDelivery,
  pickedUp,
  positionAt,
  scheduled,
  type Happening,
} from '../testing/history.js';
import { known } from '../testing/recorded.js';

const deliveryId = deliveryIdOf('o1');
const at = (minute: number) => ({ at: `2026-03-01T12:${String(minute).padStart(2, '0')}:00.000Z` });
const released = onDelivery('o1', {
  type: 'DeliveryReleased',
  data: { deliveryId, orderId: 'o1', courierId: 'cleo' },
});

function viewOf(happenings: readonly Happening[]) {
  const { sections, revisions } = foldDocument(deliveries, known(happenings));
  return deliveryView(sections, revisions);
}

describe('the view of a delivery', () => {
  test('is what the contract shows', () => {
    const happenings = [
      scheduled('o1', at(0)),
      assigned('o1', 'cleo', at(1)),
      pickedUp('o1', at(2)),
      positionAt('o1', 52.1, at(3).at),
      completed('o1', at(4)),
    ];
    expect(viewOf(happenings)).toStrictEqual({
      deliveryId,
      orderId: 'o1',
      customerId: 'ada',
      status: 'delivered',
      courierId: 'cleo',
      address: 'sealed.1.ada.YWRkcmVzcw',
      position: { latitude: 52.1, longitude: 4.9, at: '2026-03-01T12:03:00.000Z' },
      scheduledAt: '2026-03-01T12:00:00.000Z',
      pickedUpAt: '2026-03-01T12:02:00.000Z',
      deliveredAt: '2026-03-01T12:04:00.000Z',
      revision: 4,
    });
  });

  test.each([
    ['open', [scheduled('o1')], undefined],
    ['assigned', [scheduled('o1'), assigned('o1')], 'cleo'],
    ['open', [scheduled('o1'), assigned('o1'), released], undefined],
    ['assigned', [scheduled('o1'), assigned('o1'), released, assigned('o1', 'dan')], 'dan'],
    ['picked_up', [scheduled('o1'), assigned('o1'), pickedUp('o1')], 'cleo'],
    ['picked_up', [scheduled('o1'), pickedUp('o1'), failed('retry')], 'cleo'],
    ['failed', [scheduled('o1'), pickedUp('o1'), failed('return')], 'cleo'],
    ['returned', [scheduled('o1'), pickedUp('o1'), failed('return'), returned()], 'cleo'],
    ['cancelled', [scheduled('o1'), cancelledDelivery()], undefined],
    ['delivered', [completed('o1'), pickedUp('o1')], 'cleo'],
  ])('is %s', (status, happenings, courierId) => {
    const view = viewOf(happenings);
    expect(view?.status).toBe(status);
    expect(view?.courierId).toBe(courierId);
    const { sections } = foldDocument(deliveries, known(happenings));
    expect(deliveries.fields(sections).single).toMatchObject({ status, courierId: courierId ?? null });
  });

  test('keeps the reason of the last failed attempt', () => {
    expect(viewOf([pickedUp('o1'), failed('retry')])?.failure).toEqual({
      reason: 'nobody there',
      at: '2026-03-01T12:00:00.000Z',
      next: 'retry',
    });
  });

  test('is where the courier was last, however late the reports come', () => {
    const minutes = fc.array(fc.nat(59), { minLength: 1 });
    fc.assert(
      fc.property(minutes, (reported) => {
        const reports = reported.map((minute) => positionAt('o1', minute, at(minute).at));
        const latest = Math.max(...reported);
        expect(viewOf([pickedUp('o1'), ...reports])?.position).toEqual({
          latitude: latest,
          longitude: 4.9,
          at: at(latest).at,
        });
      }),
    );
  });

  test('is where the courier was who has it now, never where one was who gave it back', () => {
    const position = (...happenings: readonly Happening[]) => viewOf([scheduled('o1'), ...happenings])?.position?.at;
    const byCleo = [assigned('o1', 'cleo'), positionAt('o1', 52.1, at(3).at)];
    expect(position(...byCleo)).toBe(at(3).at);
    expect(position(...byCleo, released)).toBeUndefined();
    expect(position(...byCleo, released, assigned('o1', 'dan'))).toBeUndefined();
    expect(position(...byCleo, released, assigned('o1', 'dan'), positionAt('o1', 52.2, at(4).at))).toBe(at(4).at);
    // What is older than the last known is not on the map, whoever reports it.
    expect(position(...byCleo, released, assigned('o1', 'dan'), positionAt('o1', 52.2, at(2).at))).toBeUndefined();
    expect(position(...byCleo, released, assigned('o1', 'cleo'))).toBe(at(3).at);
  });

  test('is none while only positions are known', () => {
    expect(viewOf([positionAt('o1', 52, at(1).at)])).toBeUndefined();
  });
});

function failed(next: 'retry' | 'return'): Happening {
  const data = { deliveryId, orderId: 'o1', reason: 'nobody there', next };
  return onDelivery('o1', { type: 'DeliveryFailed', data });
}

function returned(): Happening {
  return onDelivery('o1', { type: 'DeliveryReturned', data: { deliveryId, orderId: 'o1' } });
}

function cancelledDelivery(): Happening {
  const data = { deliveryId, orderId: 'o1', reason: 'the order was cancelled' };
  return onDelivery('o1', { type: 'DeliveryCancelled', data });
}
