import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import { uuidV5 } from './uuid-v5.js';

/** Storage format: of it follow the ids of requests. */
const requestNamespace = '5e1c1b52-6a0f-4d0c-9a55-1f3f0d1a7c11';

/**
 * The id of a request that a client may repeat: UUID v5 of caller, the role in which they act, method, path and
 * Idempotency-Key.
 */
export function requestIdOf(caller: string, role: string, method: string, path: string, key: string): string {
  return uuidV5(JSON.stringify([caller, role, method, path, key]), requestNamespace);
}

/** The id as it was before it included the role. For one release a repeat is also looked for under it. */
export function formerRequestIdOf(caller: string, method: string, path: string, key: string): string {
  return uuidV5(JSON.stringify([caller, method, path, key]), requestNamespace);
}

/**
 * The id of the `index`th event of a cause with a UUID, where the event is known by its cause: whoever records it, it is
 * the same. The id that the cause has must say what kind of event it leads to. All other events have ids of their own.
 */
export function eventIdOf(causeId: string, index: number): string {
  return uuidV5(`${index}`, causeId);
}

/**
 * The id of a new aggregate whose id the caller did not choose: HMAC-SHA-256 of the request's id under the service key,
 * so that nobody else can tell it and take it first. Laid out as a version 7 UUID, as the contract promises, with the
 * time bits taken from the hash too (RFC 9562 §6.2 lets an implementation choose them; nothing may read a time from an
 * id).
 */
export function aggregateIdOf(serviceKey: Uint8Array, requestId: string): string {
  const bytes = createHmac('sha256', serviceKey).update(`aggregate ${requestId}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The id that a new aggregate got before there was a service key. For one release a repeat is sought under it too. */
export function formerAggregateIdOf(formerRequestId: string): string {
  const id = uuidV5('aggregate', formerRequestId);
  return `${id.slice(0, 14)}7${id.slice(15)}`;
}

/** Keyed hash of a request's payload, base64url. Equal for bodies that are equal as JSON (RFC 8785). */
export function payloadHash(key: Uint8Array, payload: unknown): string {
  return createHmac('sha256', key)
    .update(canonicalize(payload) ?? 'null')
    .digest('base64url');
}
