import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Money } from '@waybill/shared-kernel/money.js';
import type { Fields } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { streamName } from '@waybill/shared-kernel/stream.js';
import { wordOfId, wordsOf } from './words.js';

/** Each is null until it is known. */
interface ProductSection {
  readonly listed: {
    readonly productId: string;
    readonly merchantId: string;
    readonly name: string;
    readonly at: string;
  } | null;
  readonly unitPrice: Money | null;
  /** Pieces; null: not counted. */
  readonly stock: number | null;
  readonly withdrawn: boolean;
}

const untouched: ProductSection = { listed: null, unitPrice: null, stock: null, withdrawn: false };

function fold(before: unknown, event: KnownEvent): ProductSection {
  const section = (before as ProductSection | undefined) ?? untouched;
  switch (event.type) {
    case 'ProductListed': {
      const { productId, merchantId, name, unitPrice, currency, stock } = event.data;
      const listed = { productId, merchantId, name, at: event.occurredAt };
      return { ...section, listed, unitPrice: { amount: unitPrice, currency }, stock };
    }
    case 'ProductPriceChanged':
      return { ...section, unitPrice: { amount: event.data.unitPrice, currency: event.data.currency } };
    case 'ProductStockChanged':
    case 'StockReserved':
    case 'StockReleased':
      return { ...section, stock: event.data.stock };
    case 'ProductWithdrawn':
      return { ...section, withdrawn: true };
    default:
      return section;
  }
}

function sectionOf(sections: Sections): ProductSection | undefined {
  return sections.product as ProductSection | undefined;
}

function fields(sections: Sections): Fields {
  const listed = sectionOf(sections)?.listed ?? null;
  return {
    single: {
      merchantId: listed?.merchantId ?? null,
      listedAt: listed?.at ?? null,
    },
    multiple: { word: listed === null ? [] : [...new Set([wordOfId(listed.productId), ...wordsOf(listed.name)])] },
  };
}

/** The catalogue: products by id, one stream each. */
export const products: Projection = {
  collection: {
    name: 'products',
    version: 1,
    fields: { merchantId: 'text', listedAt: 'text' },
    multiple: [],
    searched: ['word'],
    order: 'listedAt',
    indexes: [[], ['merchantId']],
  },
  categories: ['product'],
  key: (event) => event.partitionKey,
  streams: (productId) => [streamName('product', productId)],
  fold,
  fields,
};

/** A product as the contract shows it, without `freshness`. */
export interface ProductView {
  readonly productId: string;
  readonly merchantId: string;
  readonly name: string;
  readonly unitPrice: Money;
  /** Pieces; absent where they are not counted. */
  readonly stock?: number;
  readonly withdrawn: boolean;
  readonly revision: number;
}

/** The product of a document, `undefined` where its `ProductListed` is not in it. */
export function productView(sections: Sections, revisions: Revisions): ProductView | undefined {
  const section = sectionOf(sections);
  if (section === undefined || section.listed === null || section.unitPrice === null) return undefined;
  const { productId, merchantId, name } = section.listed;
  return {
    productId,
    merchantId,
    name,
    unitPrice: section.unitPrice,
    ...(section.stock !== null && { stock: section.stock }),
    withdrawn: section.withdrawn,
    revision: revisions.product ?? -1,
  };
}
