import { errors, jwtVerify, type CryptoKey, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { LRUCache } from 'lru-cache';
import { Unauthenticated } from '@waybill/shared-kernel/errors.js';
import type { TwoClocks } from '@waybill/shared-kernel/believed-clock.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { isRole, type Caller } from './caller.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

/**
 * Says who a bearer token stands for. Throws `Unauthenticated`, or `Unavailable` when the key that would tell cannot be
 * had. A token that was verified a moment ago is answered at once, without a promise.
 */
export type TokenVerifier = (token: string) => Caller | Promise<Caller>;

/** Whose tokens are believed: those of the development key, or of an identity provider (a key set by URL). */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** JWS algorithms, such as `ES256`. What a token's head says does not matter beyond these. */
  readonly algorithms: readonly string[];
  readonly key: JWTVerifyGetKey | CryptoKey;
}

/** Clocks of two machines may differ by so many seconds. */
const clockTolerance = 5;
const rememberedTokens = 10_000;
/** A good token is looked at again after so many milliseconds: its key may have been taken back. */
const rememberedFor = 5 * 60_000;
/** Longer ones are no tokens of ours and are not worth an attempt. */
const longestToken = 4096;

function callerOf({ sub, roles }: JWTPayload): Caller {
  if (sub === undefined || !idPattern.test(sub)) throw new Unauthenticated("The token's sub is not an id.");
  if (!Array.isArray(roles) || roles.length === 0 || !roles.every(isRole)) {
    throw new Unauthenticated("The token's roles are not a list of roles of this service.");
  }
  return { sub, roles: [...new Set(roles)] };
}

function refusal(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new Unauthenticated('The token has expired.', { cause: error });
  if (error instanceof errors.JOSEError) return new Unauthenticated('The token is not valid.', { cause: error });
  return error;
}

/** Checks signature, issuer, audience and times, and remembers who a good token stands for. */
export function createTokenVerifier(trusted: TrustedIssuer, { wallClock, steadyClock }: TwoClocks): TokenVerifier {
  const known = new LRUCache<
    string,
    { readonly caller: Caller; readonly expiresAtMs: number; readonly readAtMs: number }
  >({
    max: rememberedTokens,
  });
  const { issuer, audience, algorithms, key } = trusted;
  const getKey: JWTVerifyGetKey = typeof key === 'function' ? key : () => Promise.resolve(key);

  const verify = async (token: string): Promise<Caller> => {
    if (token.length > longestToken) throw new Unauthenticated('The token is too long.');
    const readAtMs = steadyClock.now();
    const now = epochMs(wallClock);
    try {
      const { payload } = await jwtVerify(token, getKey, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance,
        currentDate: new Date(now),
        requiredClaims: ['exp', 'iat', 'sub'],
      });
      if (payload.iat! > now / 1000 + clockTolerance) throw new Unauthenticated('The token was issued in the future.');
      const caller = callerOf(payload);
      known.set(token, { caller, expiresAtMs: payload.exp! * 1000, readAtMs });
      return caller;
    } catch (error) {
      throw refusal(error);
    }
  };

  return (token) => {
    const entry = known.get(token);
    if (entry === undefined || steadyClock.now() - entry.readAtMs >= rememberedFor) return verify(token);
    return epochMs(wallClock) < entry.expiresAtMs ? entry.caller : verify(token);
  };
}
