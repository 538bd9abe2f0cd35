import type { ListQuery } from '@waybill/shared-kernel/ports/read-store.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { time, type QueryParameter } from './query.js';

/** A place in a list: of the last document on a page. */
export type Place = NonNullable<ListQuery['after']>;

/** An opaque cursor: the next page begins behind `place`. Its form is ours and may change; clients pass it on unread. */
export function encodeCursor(list: string, { order, key }: Place): string {
  return Buffer.from(JSON.stringify([1, list, order, key]), 'utf8').toString('base64url');
}

function decode(list: string, cursor: string): Place | undefined {
  try {
    const fields: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (!Array.isArray(fields) || fields.length !== 4) return undefined;
    const [form, of, order, key] = fields as unknown[];
    if (form !== 1 || of !== list || typeof order !== 'string' || typeof key !== 'string') return undefined;
    const isPlace = time.parse(order) === order && idPattern.test(key);
    return isPlace ? { order, key } : undefined;
  } catch {
    return undefined;
  }
}

/** The `cursor` parameter of a list; takes what `encodeCursor` gave for that list and nothing else. */
export function cursorOf(list: string): QueryParameter<Place> {
  return {
    parse: (text) => {
      const place = decode(list, text);
      return place !== undefined && encodeCursor(list, place) === text ? place : undefined;
    },
    takes: 'the "next" of a page of this list, unchanged',
  };
}
