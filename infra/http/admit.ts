import type { IncomingMessage } from 'node:http';
import { Unauthenticated } from '@waybill/shared-kernel/errors.js';
import { bearerToken } from './bearer-token.js';
import type { Caller } from './caller.js';
import { RequestRefused } from './problem.js';
import type { RateLimit } from './rate-limit.js';
import type { TokenVerifier } from './tokens.js';

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
