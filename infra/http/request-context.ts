import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';

const saneRequestId = /^[A-Za-z0-9._~-]{1,128}$/;

/** The caller's request id where it is one that can stand in logs and headers, else a new UUID. */
export function requestIdFrom(header: string | string[] | undefined, randomness: Pick<Randomness, 'uuid'>): string {
  return typeof header === 'string' && saneRequestId.test(header) ? header : randomness.uuid();
}

const traceparentForm = /^(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

/** The id by which the trace of a valid context is found. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}

/**
 * The caller's trace context, W3C Trace Context level 1 §3.2: version 00 has nothing after the flags, later versions
 * may. An invalid one counts as absent.
 */
export function traceparentFrom(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string') return undefined;
  const match = traceparentForm.exec(header);
  if (match === null || (match[1] === '00' && match[2] !== undefined)) return undefined;
  return header;
}
