import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { IdentityProvider } from '../../process/config.js';
import type { TrustedIssuer } from './tokens.js';

/** How long keys are used and fetched, milliseconds. */
export interface KeyTuning {
  /** Known keys are fetched again after so long, while they go on being used: a key taken back is noticed. */
  readonly refreshAfter: number;
  /** Keys that could not be fetched again for so long are used no more. */
  readonly keepFor: number;
  /** A token of an unknown key makes them be fetched at most this often. */
  readonly unknownKeyEvery: number;
  readonly timeout: number;
}

const keyTuning: KeyTuning = {
  refreshAfter: 5 * 60_000,
  keepFor: 24 * 60 * 60_000,
  unknownKeyEvery: 30_000,
  timeout: 1_500,
};

/** Asymmetric ones alone: with a symmetric algorithm the public half of a key would sign. */
const algorithms = ['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'];

/**
 * The identity provider as an issuer whose tokens are believed. Its keys are fetched when the first token comes; while
 * it does not answer, the keys that are known hold, and a token of any other is `Unavailable`.
 * `clock`: a steady one.
 */
export function trustedProvider(
  { issuer, audience, jwksUrl }: IdentityProvider,
  clock: SteadyClock,
  tuning: KeyTuning = keyTuning,
): TrustedIssuer {
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: tuning.timeout,
    cooldownDuration: tuning.unknownKeyEvery,
    cacheMaxAge: tuning.keepFor,
  });
  let refreshAt = clock.now() + tuning.refreshAfter;

  const key: JWTVerifyGetKey = async (header, token) => {
    const now = clock.now();
    if (now >= refreshAt && keys.jwks() !== undefined) {
      refreshAt = now + tuning.refreshAfter;
      // In the background: the keys that are known hold when it fails.
      keys.reload().catch(() => undefined);
    }
    try {
      return await keys(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
      throw new Unavailable('identity provider', `The keys of ${issuer} cannot be fetched from ${jwksUrl}.`, {
        cause: error,
      });
    }
  };
  return { issuer, audience, algorithms, key };
}
