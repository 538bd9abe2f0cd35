import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Randomness } from './ports/clock.js';

/**
 * Personal data as it stands in events and everything derived from them: `sealed.1.<subject>.<base64url>`, where the
 * last part is a 96-bit nonce, the AES-256-GCM ciphertext of the value as JSON, and the 128-bit tag. The subject (a
 * customer's id) names the key and is authenticated with the text, so a sealed value cannot be moved to another person.
 */
export type Sealed = string;

const prefix = 'sealed.1.';
const nonceLength = 12;
const tagLength = 16;

export function seal(subject: string, key: Uint8Array, value: unknown, randomness: Randomness): Sealed {
  const nonce = randomness.bytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(subject, 'utf8'));
  const text = Buffer.concat([
    nonce,
    cipher.update(JSON.stringify(value), 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `${prefix}${subject}.${text.toString('base64url')}`;
}

export function isSealed(text: string): text is Sealed {
  return text.startsWith(prefix) && text.includes('.', prefix.length);
}

/** Whose key a sealed value needs. Throws on what is not a sealed value. */
export function subjectOf(sealed: Sealed): string {
  if (!isSealed(sealed)) throw new Error('not a sealed value');
  return sealed.slice(prefix.length, sealed.indexOf('.', prefix.length));
}

/** The value that was sealed. Throws when the key is another or a bit was changed. */
export function unseal(sealed: Sealed, key: Uint8Array): unknown {
  const subject = subjectOf(sealed);
  const bytes = Buffer.from(sealed.slice(prefix.length + subject.length + 1), 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceLength))
    .setAAD(Buffer.from(subject, 'utf8'))
    .setAuthTag(bytes.subarray(bytes.length - tagLength));
  const text = Buffer.concat([
    decipher.update(bytes.subarray(nonceLength, bytes.length - tagLength)),
    decipher.final(),
  ]);
  return JSON.parse(text.toString('utf8')) as unknown;
}
