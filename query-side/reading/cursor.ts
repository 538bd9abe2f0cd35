import { timelineStart, type TimelinePlace } from '@waybill/projections/replay/timeline.js';
import type { Place } from '@waybill/shared-kernel/ports/read-store.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { isSealedCursor } from './sealed-cursor.js';
import { time, type QueryParameter } from './query.js';

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

/** An opaque cursor in the timeline of an order: see `encodeCursor`. */
export function encodeTimelineCursor(orderId: string, place: TimelinePlace): string {
  return Buffer.from(JSON.stringify([1, 'timeline', orderId, place]), 'utf8').toString('base64url');
}

function decodeTimeline(orderId: string, cursor: string): TimelinePlace | undefined {
  try {
    const fields: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (!Array.isArray(fields) || fields.length !== 4) return undefined;
    const [form, list, of, place] = fields as unknown[];
    if (form !== 1 || list !== 'timeline' || of !== orderId || !Array.isArray(place)) return undefined;
    const isPlace = place.length === timelineStart.length && place.every(isRevision);
    return isPlace ? (place as TimelinePlace) : undefined;
  } catch {
    return undefined;
  }
}

function isRevision(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The `cursor` parameter of the timeline of an order; takes what `encodeTimelineCursor` gave for it and nothing else. */
export function timelineCursorOf(orderId: string): QueryParameter<TimelinePlace> {
  return {
    parse: (text) => {
      const place = decodeTimeline(orderId, text);
      return place !== undefined && encodeTimelineCursor(orderId, place) === text ? place : undefined;
    },
    takes: 'the "next" of a page of this timeline, unchanged',
  };
}

/** What a client brings back of a list: a place, or one that is sealed. */
export type PageCursor = Place | { readonly sealed: string };

/** What a cursor of a list has to be. */
export const cursorTakes = 'the "next" of a page of this list, unchanged';

/** The same of a list whose cursors may be sealed: see `sealPlace`. */
export function pageCursorOf(list: string): QueryParameter<PageCursor> {
  const { parse, takes } = cursorOf(list);
  return { parse: (text) => (isSealedCursor(text) ? { sealed: text } : parse(text)), takes };
}

/** The `cursor` parameter of a list; takes what `encodeCursor` gave for that list and nothing else. */
export function cursorOf(list: string): QueryParameter<Place> {
  return {
    parse: (text) => {
      const place = decode(list, text);
      return place !== undefined && encodeCursor(list, place) === text ? place : undefined;
    },
    takes: cursorTakes,
  };
}
