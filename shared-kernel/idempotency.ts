import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import { uuidV5 } from './uuid-v5.js';

const requestNamespace = '5e1c1b52-6a0f-4d0c-9a55-1f3f0d1a7c11';

/** The id of a request a client may repeat: UUID v5 of caller, method, path and Idempotency-Key. */
export function requestIdOf(caller: string, method: string, path: string, key: string): string {
  return uuidV5(JSON.stringify([caller, method, path, key]), requestNamespace);
}

/**
 * The id of the `index`th event that a request (or any other cause with a UUID) records. For a request it depends on
 * the hash of the payload too: a store takes equal ids for the same append coming again, and the same key with another
 * payload, at the same moment in another process, is not that.
 */
export function eventIdOf(causeId: string, index: number, payloadHash = ''): string {
  return uuidV5(`${index}${payloadHash}`, causeId);
}

/**
 * The id of an aggregate whose id the caller did not choose. Derived from the request, so that a repeat meets its own
 * stream; laid out as a version 7 UUID, as the contract promises, with the time bits taken from the hash too
 * (RFC 9562 §6.2 lets an implementation choose them; nothing may read a time from an id).
 */
export function aggregateIdOf(requestId: string): string {
  const id = uuidV5('aggregate', requestId);
  return `${id.slice(0, 14)}7${id.slice(15)}`;
}

/** Keyed hash of a request's payload, base64url. Equal for bodies that are equal as JSON (RFC 8785). */
export function payloadHash(key: Uint8Array, payload: unknown): string {
  return createHmac('sha256', key)
    .update(canonicalize(payload) ?? 'null')
    .digest('base64url');
}
