/** Events of `product-<productId>`. A storage format: golden JSON in `golden/`. */
export type ProductEvent =
  | { readonly type: 'ProductListed'; readonly data: ProductListed }
  | { readonly type: 'ProductPriceChanged'; readonly data: ProductPriceChanged }
  | { readonly type: 'ProductStockChanged'; readonly data: ProductStockChanged }
  | { readonly type: 'ProductWithdrawn'; readonly data: { readonly productId: string } }
  | { readonly type: 'StockReserved'; readonly data: StockHeld }
  | { readonly type: 'StockReleased'; readonly data: StockHeld };

export interface ProductListed {
  readonly productId: string;
  readonly merchantId: string;
  readonly name: string;
  /** Minor units. */
  readonly unitPrice: number;
  readonly currency: string;
  /** Pieces; null: not counted. */
  readonly stock: number | null;
}

export interface ProductPriceChanged {
  readonly productId: string;
  readonly unitPrice: number;
  readonly currency: string;
}

/** `change` pieces came (positive) or went; `stock` is what there is after it. */
export interface ProductStockChanged {
  readonly productId: string;
  readonly change: number;
  readonly stock: number;
}

/**
 * `quantity` pieces are set aside for an order, or are there for others again; `stock` is what anybody can have after
 * it. Released with a quantity of 0: there was nothing set aside, and from now on nothing will be.
 */
export interface StockHeld {
  readonly productId: string;
  readonly orderId: string;
  readonly quantity: number;
  readonly stock: number;
}
