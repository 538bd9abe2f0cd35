import type { UuidSource } from '@waybill/shared-kernel/ports/clock.js';

const saneRequestId = /^[A-Za-z0-9._~-]{1,128}$/;

/** The caller's request id where it is one that can stand in logs and headers, else a new UUID. */
export function requestIdFrom(header: string | string[] | undefined, randomness: UuidSource): string {
  return typeof header === 'string' && saneRequestId.test(header) ? header : randomness.uuid();
}

/** The id by which the trace of a valid context is found. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}
