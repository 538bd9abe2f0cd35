import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';

const nonceLength = 12;
const tagLength = 16;

/** A data key as stores keep it. */
export interface WrappedKey {
  /** Also the label it is wrapped for. */
  readonly subject: string;
  /** Null once it was destroyed. */
  readonly wrapped: Uint8Array | null;
}

/** Encrypts a key under the master key with AES-256-GCM: nonce, text, tag. It opens for the same `label` only. */
export function wrapKey(masterKey: Uint8Array, label: string, key: Uint8Array, randomness: Randomness): Uint8Array {
  const nonce = randomness.bytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce).setAAD(Buffer.from(label, 'utf8'));
  return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

/** The key that was wrapped; `undefined` when the master key or the label is another, or a bit was changed. */
export function unwrapKey(masterKey: Uint8Array, label: string, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.length < nonceLength + tagLength) return undefined;
  const end = wrapped.length - tagLength;
  const decipher = createDecipheriv('aes-256-gcm', masterKey, wrapped.subarray(0, nonceLength))
    .setAAD(Buffer.from(label, 'utf8'))
    .setAuthTag(wrapped.subarray(end));
  try {
    return Buffer.concat([decipher.update(wrapped.subarray(nonceLength, end)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** As `unwrapKey`, with whichever of several master keys opens it. */
export function unwrapWithAny(
  masterKeys: readonly Uint8Array[],
  label: string,
  wrapped: Uint8Array,
): Uint8Array | undefined {
  for (const masterKey of masterKeys) {
    const key = unwrapKey(masterKey, label, wrapped);
    if (key !== undefined) return key;
  }
  return undefined;
}

/**
 * A wrapped key as it is wrapped by the first of the master keys: itself where it is already, wrapped anew where another
 * opens it, `undefined` where none does.
 */
export function rewrapped(
  [present, ...others]: readonly [Uint8Array, ...(readonly Uint8Array[])],
  label: string,
  wrapped: Uint8Array,
  randomness: Randomness,
): Uint8Array | undefined {
  if (unwrapKey(present, label, wrapped) !== undefined) return wrapped;
  const key = unwrapWithAny(others, label, wrapped);
  return key && wrapKey(present, label, key, randomness);
}
