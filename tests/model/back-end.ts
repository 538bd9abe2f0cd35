import type { Line } from './commands.js';
import { recorded, type News, type Order, type World } from './world.js';

/** The world once everything behind the write API has heard of all that happened, and done what follows from it. */
export function settled(world: World): World {
  const heard = world.news.reduce(hear, { ...world, news: [] });
  // What could not be had, or paid, is rejected; what was set aside for it is given back when that is known.
  const undecided = [...heard.orders].filter(([, { status }]) => status === 'placed');
  const decided = undecided.reduce((before, [orderId, order]) => decide(before, orderId, order), heard);
  const rejected = undecided.filter(([orderId]) => decided.orders.get(orderId)?.status === 'rejected');
  return rejected.reduce((before, [, order]) => giveBack(before, order), decided);
}

function hear(world: World, { orderId, what }: News): World {
  const order = world.orders.get(orderId)!;
  const delivery = world.deliveries.get(orderId);
  switch (what) {
    case 'placed':
      return setAside(world, orderId, order);
    case 'cancelled': {
      const after = giveBack(world, order);
      if (delivery === undefined) return after;
      return recorded(after, 'deliveries', orderId, { ...delivery, status: 'cancelled', courierId: null });
    }
    case 'completed':
      return recorded(world, 'orders', orderId, { ...order, status: 'delivered' });
    case 'failed':
      return recorded(world, 'orders', orderId, { ...order, status: 'delivery_failed' });
    case 'returned':
      return giveBack(world, order);
    default:
      return what satisfies never;
  }
}

function setAside(before: World, orderId: string, order: Order): World {
  let world = before;
  const reserved: Line[] = [];
  let isShort = false;
  for (const { productId, quantity } of piecesOf(order)) {
    const product = world.products.get(productId)!;
    if (product.stock === null) continue;
    isShort = product.stock < quantity;
    if (isShort) break;
    world = recorded(world, 'products', productId, { ...product, stock: product.stock - quantity });
    reserved.push({ productId, quantity });
  }
  // Nothing new in the order's own stream.
  return { ...world, orders: new Map([...world.orders, [orderId, { ...order, reserved, isShort }]]) };
}

function decide(world: World, orderId: string, order: Order): World {
  const isPaid = order.total === 0 || order.token === 'tok_approve';
  if (order.isShort || !isPaid) return recorded(world, 'orders', orderId, { ...order, status: 'rejected' });
  const confirmed = recorded(world, 'orders', orderId, { ...order, status: 'confirmed' });
  return recorded(confirmed, 'deliveries', orderId, { status: 'open', courierId: null, couriers: [], times: [] });
}

/** Where not all could be had, each product hears that the order wants none, whether or not it was asked for some. */
function giveBack(before: World, order: Order): World {
  return (order.isShort ? piecesOf(order) : order.reserved).reduce((world, { productId }) => {
    const product = world.products.get(productId)!;
    if (product.stock === null) return world;
    const quantity = order.reserved.find((line) => line.productId === productId)?.quantity ?? 0;
    return recorded(world, 'products', productId, { ...product, stock: product.stock + quantity });
  }, before);
}

/** Each product once, in the order of their ids. */
function piecesOf({ lines }: Order): readonly Line[] {
  const pieces = new Map<string, number>();
  for (const { productId, quantity } of lines) pieces.set(productId, (pieces.get(productId) ?? 0) + quantity);
  return [...pieces].sort().map(([productId, quantity]) => ({ productId, quantity }));
}
