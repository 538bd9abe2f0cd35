import type { TwoClocks } from '@waybill/shared-kernel/believed-clock.js';
import { dataFiles, type Config } from '../../process/config.js';
import { openDevelopmentKey } from './development-key.js';
import { trustedProvider } from './identity-provider.js';
import { createTokenVerifier, type TokenVerifier } from './tokens.js';

/** Believes the identity provider that the configuration names, else the development key of the data folder. */
export async function tokenVerifierOf(
  { identityProvider, dataFolder }: Pick<Config, 'identityProvider' | 'dataFolder'>,
  clocks: TwoClocks,
): Promise<TokenVerifier> {
  if (identityProvider !== undefined) {
    return createTokenVerifier(trustedProvider(identityProvider, clocks.steadyClock), clocks);
  }
  const { trusted } = await openDevelopmentKey(dataFiles(dataFolder).developmentKey);
  return createTokenVerifier(trusted, clocks);
}
