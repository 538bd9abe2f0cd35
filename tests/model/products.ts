import type { Caller, Command } from './commands.js';
import { againstRule, idTaken, forbidden, notFound, type Decision, type Matter } from './decisions.js';
import { recorded, type Product, type World } from './world.js';

type OnProduct = Extract<Command, { readonly type: 'list' | 'reprice' | 'restock' | 'withdraw' }>;

/** What a command means for the catalogue. */
export function productMatter(world: World, by: Caller, command: OnProduct, derivedId: string): Matter {
  const id = command.productId ?? derivedId;
  const product = world.products.get(id);
  const of = { id, idName: 'productId', revision: product?.revision ?? -1, customerId: null };
  if (command.type === 'list') {
    const { unitPrice: price, stock = null } = command;
    const listed = { merchantId: by.sub, price, stock, isWithdrawn: false };
    return { ...of, decide: () => (product === undefined ? recorded(world, 'products', id, listed) : idTaken) };
  }
  if (product === undefined) return { ...of, refusal: notFound, decide: () => notFound };
  const refusal = product.merchantId === by.sub ? undefined : forbidden;
  return { ...of, refusal, decide: () => change(world, id, product, command) };
}

function change(world: World, id: string, product: Product, command: Exclude<OnProduct, { type: 'list' }>): Decision {
  if (command.type === 'withdraw') {
    return product.isWithdrawn ? world : recorded(world, 'products', id, { ...product, isWithdrawn: true });
  }
  if (product.isWithdrawn) return againstRule('product-withdrawn');
  if (command.type === 'reprice') {
    const { unitPrice: price } = command;
    const isSame = price.amount === product.price.amount && price.currency === product.price.currency;
    return isSame ? world : recorded(world, 'products', id, { ...product, price });
  }
  const stock = (product.stock ?? 0) + command.change;
  return stock < 0 ? againstRule('stock-below-zero') : recorded(world, 'products', id, { ...product, stock });
}
