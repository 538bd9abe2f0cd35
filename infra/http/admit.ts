import type { IncomingMessage } from 'node:http';
import { Unauthenticated } from '@waybill/shared-kernel/errors.js';
import { isWebhookSignature, webhookSignatureHeader } from './webhook-signature.js';
import { bearerToken } from './identity/bearer-token.js';
import type { Caller } from './identity/caller.js';
import { RequestRefused } from './problem.js';
import type { RateLimit } from './rate-limit.js';
import type { TokenVerifier } from './identity/tokens.js';

function count(limit: RateLimit | undefined, whom: string, whose: string): void {
  const wait = limit?.take(whom) ?? 0;
  if (wait === 0) return;
  throw new RequestRefused('too-many-requests', `There were too many requests ${whose}. Try again in ${wait} s.`, {
    'Retry-After': String(wait),
  });
}

/**
 * Who calls. Requests are counted by subject; those that bring no good token by address, so that a good one is let in
 * whatever comes from the same address, which may be a gateway's. Throws `Unauthenticated`, or `RequestRefused` past the
 * limit.
 */
export async function admit(
  { headers, socket }: IncomingMessage,
  verify: TokenVerifier,
  limit: RateLimit | undefined,
): Promise<Caller> {
  let caller: Caller;
  try {
    caller = await verify(bearerToken(headers.authorization));
  } catch (error) {
    if (error instanceof Unauthenticated) {
      count(limit, `address ${socket.remoteAddress}`, 'without a valid token from this address');
    }
    throw error;
  }
  count(limit, caller.sub, 'of this subject');
  return caller;
}

/**
 * What was signed with the secret, byte for byte. Requests that were not are counted by address, and where there is no
 * signature nothing is read of them; those that were are from one we trust, and not counted. Throws `RequestRefused`.
 */
export async function admitSigned(
  { headers, socket }: IncomingMessage,
  secret: string,
  readBytes: () => Promise<Uint8Array>,
  limit: RateLimit | undefined,
): Promise<Uint8Array> {
  const signature = headers[webhookSignatureHeader];
  if (typeof signature === 'string') {
    const bytes = await readBytes();
    if (isWebhookSignature(secret, bytes, signature)) return bytes;
  }
  count(limit, `address ${socket.remoteAddress}`, 'without a valid signature from this address');
  const why = signature === undefined ? 'The body is not signed' : 'The signature does not match the body';
  throw new RequestRefused('unauthenticated', `${why}: ${signatureHeader} is ${signatureForm}.`, {
    'WWW-Authenticate': `${signatureHeader} realm="waybill"`,
  });
}

/** As it is written, and what it holds. */
export const signatureHeader = 'X-Waybill-Signature';
export const signatureForm = 'sha256= and the HMAC-SHA256 of the raw body, in hexadecimal';
