import type { IncomingMessage } from 'node:http';

/** What a page of another origin may read of an answer beside its body. */
const exposed = 'ETag, Consistency-Token, Idempotency-Replayed, Location, Retry-After, X-Request-Id';
/** What it may send beside what every page may. */
const taken =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Consistency-Token, Prefer, ' +
  'Last-Event-ID, X-Request-Id, traceparent, tracestate';
/** A browser asks again after so many seconds. */
const rememberedFor = 600;

/** Headers by which a browser lets a page of an origin of the list in, flat: name, value, name, value. */
export type CorsHeaders = (request: Pick<IncomingMessage, 'method' | 'headers'>) => readonly string[];

/**
 * CORS for pages of these origins and no others. Tokens are sent by the page, so there are no credentials of the
 * browser's to allow. The package `cors` sets its headers on the response; ours go out with all others, as one list.
 */
export function corsHeaders(origins: readonly string[]): CorsHeaders {
  if (origins.length === 0) return () => [];
  const allowed = new Set(origins);
  const others = ['Vary', 'Origin'];
  return ({ method, headers }) => {
    const { origin } = headers;
    if (origin === undefined || !allowed.has(origin)) return others;
    const known = [...others, 'Access-Control-Allow-Origin', origin];
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
      return [...known, 'Access-Control-Expose-Headers', exposed];
    }
    return [
      ...known,
      ...['Access-Control-Allow-Methods', 'GET, HEAD, POST'],
      ...['Access-Control-Allow-Headers', taken],
      ...['Access-Control-Max-Age', String(rememberedFor)],
    ];
  };
}
