import { isEmbedded, type Config } from '@waybill/infra/process/config.js';
import { down, good, skipped, unanswered, warning, type Check } from './check.js';

const answerWithinMs = 2_000;

/** Whose tokens are believed, and whether the keys for that can be had. */
export async function checkIdentityProvider(config: Config): Promise<readonly Check[]> {
  const { identityProvider } = config;
  const name = 'identity provider';
  if (identityProvider === undefined) {
    return [
      isEmbedded(config)
        ? skipped(name, 'the development key of the data folder')
        : warning(
            name,
            'Tokens of the development key are believed: whoever reads the data folder can be anybody.',
            'Set WAYBILL_OIDC_ISSUER and WAYBILL_JWKS_URL.',
          ),
    ];
  }
  const { jwksUrl, issuer } = identityProvider;
  try {
    const answer = await fetch(jwksUrl, { signal: AbortSignal.timeout(answerWithinMs) });
    const { keys } = (await answer.json()) as { readonly keys?: unknown };
    if (answer.ok && Array.isArray(keys)) return [good(name, `${issuer}, ${keys.length} keys`)];
    return [down(name, `${jwksUrl} gives no keys (status ${answer.status}).`, 'Correct WAYBILL_JWKS_URL.')];
  } catch (error) {
    return [unanswered(name, jwksUrl, error, 'WAYBILL_JWKS_URL')];
  }
}
