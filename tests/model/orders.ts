import type { Caller, Command } from './commands.js';
import {
  againstRule,
  idTaken,
  forbidden,
  invalid,
  isCustomerOrOperator,
  notFound,
  type Decision,
  type Matter,
} from './decisions.js';
import { recorded, withNews, type Order, type World } from './world.js';

type Place = Extract<Command, { readonly type: 'place' }>;
type OnOrder = Place | Extract<Command, { readonly type: 'cancel' }>;

/** What a command means for an order. */
export function orderMatter(world: World, by: Caller, command: OnOrder, derivedId: string): Matter {
  const id = command.orderId ?? derivedId;
  const order = world.orders.get(id);
  const of = { id, idName: 'orderId', revision: order?.revision ?? -1 };
  if (command.type === 'place') {
    const { customerId } = command;
    const refusal = isCustomerOrOperator(by, customerId) ? undefined : forbidden;
    return { ...of, customerId, refusal, decide: () => place(world, id, command) };
  }
  if (order === undefined) return { ...of, customerId: null, refusal: notFound, decide: () => notFound };
  const isTheirs =
    isCustomerOrOperator(by, order.customerId) || (by.role === 'merchant' && order.merchantIds.includes(by.sub));
  const refusal = isTheirs ? undefined : notFound;
  return { ...of, customerId: order.customerId, refusal, decide: () => cancel(world, id, order) };
}

/** Prices are those of the catalogue now. */
function place(world: World, id: string, { customerId, lines, token }: Place): Decision {
  const customer = world.customers.get(customerId);
  if (customer?.isErased === true) return againstRule('customer-erased');
  const pointers = customer === undefined ? ['/customerId'] : [];
  const bought = lines.flatMap(({ productId, quantity }, index) => {
    const product = world.products.get(productId);
    return product === undefined || product.isWithdrawn ? [] : { index, productId, quantity, product };
  });
  const currency = bought[0]?.product.price.currency;
  for (const index of lines.keys()) {
    const line = bought.find((one) => one.index === index);
    if (line?.product.price.currency !== currency || line === undefined) pointers.push(`/lines/${index}/productId`);
  }
  if (pointers.length > 0) return invalid(...pointers);
  if (world.orders.has(id)) return idTaken;
  const order: Omit<Order, 'revision'> = {
    customerId,
    merchantIds: bought.map(({ product }) => product.merchantId),
    lines: bought.map(({ productId, quantity, product }) => ({
      productId,
      quantity,
      unitPrice: product.price.amount,
    })),
    total: bought.reduce((sum, { quantity, product }) => sum + quantity * product.price.amount, 0),
    token,
    status: 'placed',
    reserved: [],
    isShort: false,
  };
  return withNews(recorded(world, 'orders', id, order), id, 'placed');
}

/** Until it is picked up. */
function cancel(world: World, id: string, order: Order): Decision {
  switch (order.status) {
    case 'placed':
    case 'confirmed':
      return withNews(recorded(world, 'orders', id, { ...order, status: 'cancelled' }), id, 'cancelled');
    case 'cancelled':
      return world;
    case 'rejected':
      return againstRule('order-rejected');
    default:
      return againstRule('order-dispatched');
  }
}
