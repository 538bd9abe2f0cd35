import type { Line, Money } from './commands.js';

export interface Product {
  readonly merchantId: string;
  readonly price: Money;
  /** Pieces; null: not counted. */
  readonly stock: number | null;
  readonly isWithdrawn: boolean;
  readonly revision: number;
}

export interface Customer {
  /** Where they live. */
  readonly street: string;
  readonly isErased: boolean;
  readonly revision: number;
}

export interface Order {
  readonly customerId: string;
  readonly merchantIds: readonly string[];
  readonly lines: readonly (Line & { readonly unitPrice: number })[];
  /** Minor units. */
  readonly total: number;
  readonly token: string;
  readonly status:
    'placed' | 'confirmed' | 'rejected' | 'cancelled' | 'out_for_delivery' | 'delivered' | 'delivery_failed';
  /** What was set aside for it, of what is counted. */
  readonly reserved: readonly Line[];
  /** There was too little of something. */
  readonly isShort: boolean;
  readonly revision: number;
}

export interface Delivery {
  readonly status: 'open' | 'assigned' | 'picked_up' | 'delivered' | 'failed' | 'returned' | 'cancelled';
  readonly courierId: string | null;
  /** Whoever has it or had it. */
  readonly couriers: readonly string[];
  /** Of the positions that are known, each with the courier who had it then. */
  readonly times: readonly (readonly [at: string, courierId: string | null])[];
  readonly revision: number;
}

/** Something that the back end has yet to hear of. */
export interface News {
  readonly orderId: string;
  readonly what: 'placed' | 'cancelled' | 'completed' | 'failed' | 'returned';
}

/** A command that recorded something, and what was answered. */
export interface Remembered {
  readonly payload: string;
  /** Whose key it was hashed with: with the key the payload is forgotten. */
  readonly customerId: string | null;
  readonly answer: Done;
}

export interface Done {
  readonly status: 200 | 201;
  readonly body: Readonly<Record<string, string | number>> & { readonly revision: number };
}

interface Kinds {
  readonly products: Product;
  readonly customers: Customer;
  readonly orders: Order;
  /** By the order. */
  readonly deliveries: Delivery;
}

/** All that the write API knows, if it does what it promises. */
export type World = { readonly [Of in keyof Kinds]: ReadonlyMap<string, Kinds[Of]> } & {
  /** By caller, role, path and Idempotency-Key; positions by who reported them, delivery and time. */
  readonly remembered: ReadonlyMap<string, Remembered>;
  readonly news: readonly News[];
};

export const emptyWorld: World = {
  products: new Map(),
  customers: new Map(),
  orders: new Map(),
  deliveries: new Map(),
  remembered: new Map(),
  news: [],
};

/** The world with one thing as it is now: its stream has one event more. */
export function recorded<Of extends keyof Kinds>(
  world: World,
  of: Of,
  id: string,
  thing: Omit<Kinds[Of], 'revision'>,
): World {
  const things: ReadonlyMap<string, { readonly revision: number }> = world[of];
  const revision = (things.get(id)?.revision ?? -1) + 1;
  return { ...world, [of]: new Map([...things, [id, { ...thing, revision }]]) };
}

export function withNews(world: World, orderId: string, what: News['what']): World {
  return { ...world, news: [...world.news, { orderId, what }] };
}
