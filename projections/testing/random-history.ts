import fc from 'fast-check';
import {
  assigned,
  cancelled,
  completed,
  confirmed,
  dispatched,
  happening,
  listed,
  onPayment,
  pickedUp,
  placed,
  positionAt,
  scheduled,
  type Happening,
} from './history.js';

/** The streams of some orders, a product and a customer, each in its order. */
function streams(): Happening[][] {
  const ofOrders = ['o1', 'o2', 'o3', 'o4', 'o5'].flatMap((id) => [
    id === 'o2' ? [placed(id), cancelled(id)] : [placed(id), confirmed(id), dispatched(id)],
    [
      onPayment(id, { type: 'PaymentAuthorised', data: { orderId: id, amount: 10500, currency: 'EUR' } }),
      onPayment(id, { type: 'PaymentCaptured', data: { orderId: id, amount: 10500, currency: 'EUR' } }),
    ],
    [
      scheduled(id),
      assigned(id),
      pickedUp(id),
      positionAt(id, 52, '2026-03-01T12:10:00.000Z'),
      positionAt(id, 51, '2026-03-01T12:09:00.000Z'),
      completed(id),
    ],
    [
      happening(`fulfilment-${id}`, id, {
        type: 'FulfilmentStarted',
        data: { orderId: id, customerId: 'ada', items: [], amount: null, currency: null },
      }),
    ],
  ]);
  const ofO1 = { productId: 'P-1', orderId: 'o1' };
  const priced = { productId: 'P-1', unitPrice: 1, currency: 'EUR' };
  const registered = {
    customerId: 'ada',
    name: 'sealed.1.ada.bg',
    phone: 'sealed.1.ada.cA',
    address: 'sealed.1.ada.YQ',
  };
  return [
    ...ofOrders,
    [
      listed('P-1'),
      happening('product-P-1', 'P-1', { type: 'ProductPriceChanged', data: priced }),
      happening('product-P-1', 'P-1', { type: 'StockReserved', data: { ...ofO1, quantity: 2, stock: 1 } }),
      happening('product-P-1', 'P-1', { type: 'StockReleased', data: { ...ofO1, quantity: 2, stock: 3 } }),
    ],
    [happening('customer-ada', 'ada', { type: 'CustomerRegistered', data: registered })],
  ];
}

/** A log of 1 to 64 events in which these streams interleave somehow, possibly cut off before their ends. */
export function randomHistory(): fc.Arbitrary<readonly Happening[]> {
  return fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 64 }).map((turns) => {
    const left = streams();
    return turns.map((turn) => {
      const open = left.filter((stream) => stream.length > 0);
      return open[turn % open.length]!.shift()!;
    });
  });
}
