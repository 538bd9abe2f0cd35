import type { Decider } from '@waybill/shared-kernel/decider.js';
import { IdTaken, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { ProductEvent, ProductListed } from '@waybill/shared-kernel/events/product.js';

/** What can be asked of a product. Prices are integer minor units, stock is in pieces. */
export type ProductCommand =
  | { readonly type: 'ListProduct'; readonly product: ProductListed }
  | {
      readonly type: 'ChangeProductPrice';
      readonly productId: string;
      readonly unitPrice: number;
      readonly currency: string;
    }
  | { readonly type: 'ChangeProductStock'; readonly productId: string; readonly change: number }
  | { readonly type: 'WithdrawProduct'; readonly productId: string };

export type ProductState = { readonly status: 'none' } | KnownProduct;

/** A product that was listed. A withdrawn one can be ordered no more and stays so. */
export type KnownProduct = Omit<ProductListed, 'productId'> & { readonly status: 'listed' | 'withdrawn' };

function evolve(state: ProductState, event: ProductEvent): ProductState {
  if (event.type === 'ProductListed') {
    if (state.status !== 'none') return state;
    const { merchantId, name, unitPrice, currency, stock } = event.data;
    return { status: 'listed', merchantId, name, unitPrice, currency, stock };
  }
  if (state.status === 'none') return state;
  switch (event.type) {
    case 'ProductPriceChanged':
      return { ...state, unitPrice: event.data.unitPrice, currency: event.data.currency };
    case 'ProductStockChanged':
    case 'StockReserved':
    case 'StockReleased':
      return { ...state, stock: event.data.stock };
    case 'ProductWithdrawn':
      return { ...state, status: 'withdrawn' };
    default:
      event satisfies never;
      return state;
  }
}

function decide(command: ProductCommand, state: ProductState): readonly ProductEvent[] {
  if (command.type === 'ListProduct') {
    if (state.status !== 'none') throw new IdTaken(command.product.productId);
    return [{ type: 'ProductListed', data: command.product }];
  }
  const { productId } = command;
  if (state.status === 'none') throw new NotFound('product', productId);
  switch (command.type) {
    case 'ChangeProductPrice': {
      const { unitPrice, currency } = command;
      requireListed(state, productId);
      if (state.unitPrice === unitPrice && state.currency === currency) return [];
      return [{ type: 'ProductPriceChanged', data: { productId, unitPrice, currency } }];
    }
    case 'ChangeProductStock':
      requireListed(state, productId);
      return changeStock(productId, state.stock, command.change);
    case 'WithdrawProduct':
      return state.status === 'withdrawn' ? [] : [{ type: 'ProductWithdrawn', data: { productId } }];
    default:
      return command satisfies never;
  }
}

/** Far below 2^53, so that what is reserved can always come back and be counted exactly: nobody can refuse that. */
const mostInStock = 1_000_000_000_000_000;

/** A product whose stock was not counted is counted from its first change on, beginning with none. */
function changeStock(productId: string, before: number | null, change: number): readonly ProductEvent[] {
  if (change === 0) return [];
  const stock = (before ?? 0) + change;
  if (stock < 0) {
    throw new RuleViolated('stock-below-zero', `Product ${productId} has a stock of ${before ?? 0}.`);
  }
  if (stock > mostInStock && change > 0) {
    throw new RuleViolated('stock-too-large', `Product ${productId} cannot have so large a stock.`);
  }
  return [{ type: 'ProductStockChanged', data: { productId, change, stock } }];
}

function requireListed(state: KnownProduct, productId: string): void {
  if (state.status === 'withdrawn') {
    throw new RuleViolated('product-withdrawn', `Product ${productId} is withdrawn.`);
  }
}

export const product: Decider<ProductCommand, ProductState, ProductEvent> = {
  initialState: { status: 'none' },
  decide,
  evolve,
  stateVersion: 3,
};
