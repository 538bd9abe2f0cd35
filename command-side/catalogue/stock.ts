import type { ProductEvent } from '@waybill/shared-kernel/events/product.js';
import type { ProductState } from './product.js';

/** What an order asks of a product's stock: each of the two once, however often it is repeated. */
export type StockCommand = ReserveStock | ReleaseStock;

export interface ReserveStock {
  readonly type: 'ReserveStock';
  readonly productId: string;
  readonly orderId: string;
  /** Pieces, from 1. */
  readonly quantity: number;
}

export interface ReleaseStock extends Omit<ReserveStock, 'type'> {
  readonly type: 'ReleaseStock';
  /** Whoever asks knows that it was reserved, even if that is so long ago that the product does not remember. */
  readonly certain: boolean;
}

/** Which of the order's commands recorded an event in the product's stream before. */
export interface StockHistory {
  readonly reserved: boolean;
  readonly released: boolean;
}

/**
 * `reserved`: the order has its pieces. `uncounted`: nobody counts its pieces, so everybody can have one.
 * `refused`: there are too few, or the order let go of it already. `released`: the order has none.
 */
export type StockOutcome = 'reserved' | 'uncounted' | 'refused' | 'released';

export type StockEvent = Extract<ProductEvent, { type: 'StockReserved' | 'StockReleased' }>;

export interface StockDecision {
  readonly outcome: StockOutcome;
  /** `undefined`: nothing changes by it. */
  readonly event?: StockEvent;
}

/**
 * What becomes of an order's pieces of a product. A refusal is an answer and no error: many are decided together, and
 * one says nothing of the others. A withdrawn product still serves the orders that were placed before.
 */
export function decideStock(command: StockCommand, product: ProductState, before: StockHistory): StockDecision {
  return command.type === 'ReserveStock' ? reserve(command, product, before) : release(command, product, before);
}

function reserve(
  { productId, orderId, quantity }: ReserveStock,
  product: ProductState,
  before: StockHistory,
): StockDecision {
  if (before.released) return { outcome: 'refused' };
  if (before.reserved) return { outcome: 'reserved' };
  if (product.status === 'none' || product.stock === null) return { outcome: 'uncounted' };
  const stock = product.stock - quantity;
  if (stock < 0) return { outcome: 'refused' };
  return { outcome: 'reserved', event: { type: 'StockReserved', data: { productId, orderId, quantity, stock } } };
}

/** Where nothing was reserved, that is recorded too: a reservation that comes late would never be released. */
function release(
  { productId, orderId, quantity: pieces, certain }: ReleaseStock,
  product: ProductState,
  before: StockHistory,
): StockDecision {
  const nothingToSay = before.released || product.status === 'none' || product.stock === null;
  if (nothingToSay) return { outcome: 'released' };
  const quantity = before.reserved || certain ? pieces : 0;
  const stock = product.stock + quantity;
  return { outcome: 'released', event: { type: 'StockReleased', data: { productId, orderId, quantity, stock } } };
}
