import type { Money } from '@waybill/shared-kernel/money.js';

/** What will happen to an order. */
export type Fate = 'delivered' | 'delivered-at-second-try' | 'returned' | 'cancelled' | 'declined';

export interface PlannedProduct {
  readonly productId: string;
  readonly merchantId: string;
  readonly name: string;
  readonly unitPrice: Money;
}

export interface PlannedCustomer {
  readonly customerId: string;
  readonly name: string;
  readonly phone: string;
  readonly address: { readonly street: string; readonly city: string; readonly postalCode: string };
}

export interface PlannedOrder {
  readonly customerId: string;
  readonly lines: readonly { readonly productId: string; readonly quantity: number }[];
  readonly courierId: string;
  /** Of the payment simulator. */
  readonly paymentToken: string;
  readonly fate: Fate;
}

/** Everything a demo does, decided beforehand. */
export interface DemoPlan {
  /** Begins every id, so that demos of different seeds do not meet. */
  readonly name: string;
  readonly products: readonly PlannedProduct[];
  readonly customers: readonly PlannedCustomer[];
  readonly orders: readonly PlannedOrder[];
}

/** A number from 0 (inclusive) to 1 (exclusive). */
export type Chance = () => number;

const shops = [
  { name: 'teahouse', goods: ['Green tea', 'Oolong', 'Teapot'] },
  { name: 'bookshop', goods: ['Atlas', 'Cookbook', 'Notebook'] },
  { name: 'bakery', goods: ['Rye bread', 'Apple cake', 'Pretzels'] },
] as const;
const people = ['Anna Adler', 'Bert Brecht', 'Clara Curie', 'Dora Dahl', 'Emil Erd'] as const;
const streets = ['Hill Road', 'Mill Lane', 'Harbour Street', 'Station Square'] as const;
const couriers = ['courier-1', 'courier-2', 'courier-3'] as const;

/** Of a hundred orders so many have each fate. */
const fates: readonly (readonly [Fate, number])[] = [
  ['delivered', 65],
  ['delivered-at-second-try', 10],
  ['returned', 5],
  ['cancelled', 10],
  ['declined', 10],
];

/** Of a hundred payments so many take their time. */
const slow = 5;

function pick<T>(from: readonly T[], chance: Chance): T {
  return from[Math.floor(chance() * from.length)]!;
}

function fateOf(chance: Chance): Fate {
  let left = chance() * 100;
  for (const [fate, share] of fates) {
    left -= share;
    if (left < 0) return fate;
  }
  return 'delivered';
}

function paymentTokenOf(fate: Fate, chance: Chance): string {
  if (fate === 'declined') return 'tok_decline';
  return chance() * 100 < slow ? 'tok_slow' : 'tok_approve';
}

/** The plan of `orders` orders; the same chances give the same plan. */
export function planDemo(name: string, orders: number, chance: Chance): DemoPlan {
  const id = (what: string) => `${name}-${what}`;
  const products = shops.flatMap((shop) =>
    shop.goods.map((good) => ({
      productId: id(good.toLowerCase().replace(' ', '-')),
      merchantId: id(shop.name),
      name: good,
      unitPrice: { amount: 100 * Math.floor(2 + chance() * 28) + 90, currency: 'EUR' },
    })),
  );
  const customers = people.map((person) => ({
    customerId: id(person.split(' ')[0]!.toLowerCase()),
    name: person,
    phone: `+49 30 ${Math.floor(1_000_000 + chance() * 8_999_999)}`,
    address: {
      street: `${pick(streets, chance)} ${Math.floor(1 + chance() * 80)}`,
      city: 'Riverton',
      postalCode: String(10_000 + Math.floor(chance() * 999)),
    },
  }));
  return {
    name,
    products,
    customers,
    orders: Array.from({ length: orders }, () => {
      const first = pick(products, chance);
      const others = products.filter(
        ({ merchantId, productId }) => merchantId === first.merchantId && productId !== first.productId,
      );
      const chosen = chance() < 0.4 ? [first, pick(others, chance)] : [first];
      const fate = fateOf(chance);
      return {
        customerId: pick(customers, chance).customerId,
        lines: chosen.map(({ productId }) => ({ productId, quantity: Math.floor(1 + chance() * 3) })),
        courierId: id(pick(couriers, chance)),
        paymentToken: paymentTokenOf(fate, chance),
        fate,
      };
    }),
  };
}
