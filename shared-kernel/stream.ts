import { uuidV5 } from './uuid-v5.js';

/**
 * The categories of stream. A stream's name is `<category>-<id>`; these names are a storage format.
 * `request` streams hold to which new aggregate a command went.
 */
export const categories = ['order', 'payment', 'delivery', 'fulfilment', 'product', 'customer', 'request'] as const;
export type Category = (typeof categories)[number];

/** An id from outside: 1 to 64 of `A-Z a-z 0-9 _ -`. */
export const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

export function streamName(category: Category, id: string): string {
  return `${category}-${id}`;
}

/** Category and id of a stream; the id may itself hold hyphens. Throws on a name that is no stream of ours. */
export function parseStream(stream: string): { category: Category; id: string } {
  const hyphen = stream.indexOf('-');
  const category = categories.find((name) => name === stream.slice(0, hyphen));
  if (category === undefined) throw new Error(`not a stream of this log: ${stream}`);
  return { category, id: stream.slice(hyphen + 1) };
}

const named: ReadonlyMap<string, Category> = new Map(categories.map((category) => [category, category]));

/** The text that stands for the category in a stream's name, known or not. */
export function categoryNameOf(stream: string): string {
  const hyphen = stream.indexOf('-');
  return hyphen === -1 ? stream : stream.slice(0, hyphen);
}

/** Category of a stream, `undefined` where the name is no stream of ours. */
export function categoryOf(stream: string): Category | undefined {
  return named.get(stream.slice(0, stream.indexOf('-')));
}

/** Storage format: of it follow the ids of deliveries. */
const deliveryNamespace = '8d8c7a1e-5f5b-4f0e-9d36-4b8f2f8f2a51';

/** The delivery of an order: one per order, known from the order's id alone. */
export function deliveryIdOf(orderId: string): string {
  return uuidV5(orderId, deliveryNamespace);
}
