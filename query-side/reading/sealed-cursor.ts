import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { Place } from '@waybill/shared-kernel/ports/read-store.js';

/** Bytes of a sealed cursor: its form, a 96-bit nonce, the AES-256-GCM ciphertext, and the 128-bit tag. */
const form = 2;
const [formLength, nonceLength, textLength, tagLength] = [1, 12, 128, 16];
const length = formLength + nonceLength + textLength + tagLength;

/**
 * A place as a cursor that tells nobody but us what stands there: the key of a document that its reader may not see. The
 * same place of a list is the same cursor, and all are of the same length.
 */
export function sealPlace(list: string, { order, key }: Place, serviceKey: Uint8Array): string {
  // A key has 64 characters at most, a time 24: it fits.
  const text = JSON.stringify([order, key]).padEnd(textLength);
  const secret = cursorKey(serviceKey);
  const nonce = createHmac('sha256', secret).update(`${list} ${text}`).digest().subarray(0, nonceLength);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(Buffer.from(list, 'utf8'));
  const sealed = [cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([Buffer.of(form), nonce, ...sealed]).toString('base64url');
}

/** Whether a text has the form of a sealed cursor. */
export function isSealedCursor(text: string): boolean {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === length && bytes[0] === form && bytes.toString('base64url') === text;
}

/** The place that was sealed; `undefined`: it was not with this key, or is of another list. */
export function openPlace(list: string, cursor: string, serviceKey: Uint8Array): Place | undefined {
  const bytes = Buffer.from(cursor, 'base64url').subarray(formLength);
  const [textAt, tagAt] = [nonceLength, nonceLength + textLength];
  const decipher = createDecipheriv('aes-256-gcm', cursorKey(serviceKey), bytes.subarray(0, textAt))
    .setAAD(Buffer.from(list, 'utf8'))
    .setAuthTag(bytes.subarray(tagAt));
  const text = decipher.update(bytes.subarray(textAt, tagAt), undefined, 'utf8');
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  const [order, key] = JSON.parse(text) as [string, string];
  return { order, key };
}

/** The service key is for ids, so cursors have one that is derived from it. */
function cursorKey(serviceKey: Uint8Array): Uint8Array {
  return createHmac('sha256', serviceKey).update('cursors of lists').digest();
}
