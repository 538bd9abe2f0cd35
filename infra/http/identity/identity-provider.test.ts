import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import { Unauthenticated, Unavailable } from '@waybill/shared-kernel/errors.js';
import { steadyClock } from '../../clock/steady.js';
import { systemClock } from '../../clock/system.js';
import { virtualClock, type VirtualClock } from '../../clock/seeded.js';
import { trustedProvider } from './identity-provider.js';
import { kindOf, problemAnswer } from '../problem.js';
import { createTokenVerifier, type TokenVerifier } from './tokens.js';
import { tokenVerifierOf } from './token-verifier.js';

const issuer = 'https://identity.example';
const audience = 'waybill-api';
const minute = 60_000;

interface SigningKey {
  readonly id: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly published: JWK;
}

async function signingKey(id: string, algorithm = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  const published = { ...(await exportJWK(publicKey)), kid: id, alg: algorithm, use: 'sig' };
  return { id, algorithm, privateKey, published };
}

/** An identity provider as far as anybody else sees it: a key set at an address. */
class Provider {
  published: readonly JWK[] = [];
  /** How often the keys were fetched. */
  fetched = 0;
  /** When not, it answers 500. */
  isWell = true;
  readonly #server: Server = createServer((_request, response) => {
    this.fetched += 1;
    response.writeHead(this.isWell ? 200 : 500, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ keys: this.published }));
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get identity() {
    return { issuer, audience, jwksUrl: `http://127.0.0.1:${this.port}/keys` };
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let provider: Provider;
let clock: VirtualClock;
let verify: TokenVerifier;

beforeEach(async () => {
  provider = new Provider();
  await provider.listen();
  clock = virtualClock(Date.now());
  const tuning = { refreshAfter: 5 * minute, keepFor: 60 * minute, unknownKeyEvery: 0, timeout: 10_000 };
  verify = createTokenVerifier(trustedProvider(provider.identity, clock, tuning), {
    wallClock: clock,
    steadyClock: clock,
  });
});
afterEach(() => provider.close());

let tokens = 0;
function token(by: SigningKey, claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const now = Math.floor(clock.now() / 1000);
  tokens += 1;
  return new SignJWT({ roles: ['operator'], jti: String(tokens), ...claims })
    .setProtectedHeader({ alg: by.algorithm, kid: by.id })
    .setIssuer((claims['iss'] as string | undefined) ?? issuer)
    .setAudience((claims['aud'] as string | undefined) ?? audience)
    .setSubject('op')
    .setIssuedAt(now)
    .setExpirationTime(now + 3600)
    .sign(by.privateKey);
}

const caller = { sub: 'op', roles: ['operator'] };

test.each(['ES256', 'ES384', 'EdDSA', 'PS256', 'RS256'])('believes a token of its provider: %s', async (algorithm) => {
  const key = await signingKey('k', algorithm);
  provider.published = [key.published];
  expect(await verify(await token(key))).toEqual(caller);
});

test('fetches the keys once, however many tokens come', async () => {
  const key = await signingKey('k');
  provider.published = [key.published];
  const many = await Promise.all(Array.from({ length: 20 }, () => token(key)));
  await Promise.all(many.map(async (one) => verify(one)));
  expect(provider.fetched).toBe(1);
});

test('refuses another issuer, another audience, and a key that is not published', async () => {
  const [key, other] = [await signingKey('k'), await signingKey('other')];
  provider.published = [key.published];
  const bad = [
    await token(key, { iss: 'https://elsewhere.example' }),
    await token(key, { aud: 'elsewhere' }),
    await token(other),
    await token({ ...other, id: key.id }),
  ];
  for (const one of bad) await expect(verify(one)).rejects.toThrow(Unauthenticated);
});

test('refuses a symmetric algorithm before it asks for a key', async () => {
  const secret = new TextEncoder().encode('waybill'.repeat(8));
  const forged = await new SignJWT({ roles: ['operator'] }).setProtectedHeader({ alg: 'HS256', kid: 'k' }).sign(secret);
  await expect(verify(forged)).rejects.toThrow(Unauthenticated);
  expect(provider.fetched).toBe(0);
});

test('a new key is believed as soon as a token of it comes', async () => {
  const [old, next] = [await signingKey('old'), await signingKey('next')];
  provider.published = [old.published];
  expect(await verify(await token(old))).toEqual(caller);
  provider.published = [old.published, next.published];
  expect(await verify(await token(next))).toEqual(caller);
  expect(await verify(await token(old))).toEqual(caller);
});

test('a key that was taken back is noticed, for tokens that were believed too', async () => {
  const [old, next] = [await signingKey('old'), await signingKey('next')];
  provider.published = [old.published, next.published];
  const believed = await token(old);
  expect(await verify(believed)).toEqual(caller);
  provider.published = [next.published];
  clock.advance(5 * minute);
  for (;;) {
    const error: unknown = await Promise.resolve(verify(await token(old))).catch((reason: unknown) => reason);
    if (error instanceof Unauthenticated) break;
  }
  await expect(verify(believed)).rejects.toThrow(Unauthenticated);
});

test('while the provider is down the known keys hold; without any it is 503 and says when to come again', async () => {
  const key = await signingKey('k');
  provider.published = [key.published];
  expect(await verify(await token(key))).toEqual(caller);
  const { identity } = provider;
  await provider.close();
  clock.advance(30 * minute);
  expect(await verify(await token(key))).toEqual(caller);

  const unknowing = createTokenVerifier(trustedProvider(identity, steadyClock), {
    wallClock: systemClock,
    steadyClock,
  });
  const error: unknown = await Promise.resolve(unknowing(await token(key))).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Unavailable);
  expect(problemAnswer(error, 'r')).toMatchObject({ status: 503, headers: { 'Retry-After': '5' } });
});

test('a provider that answers nonsense is one that is down, and is believed again when it is well', async () => {
  const key = await signingKey('k');
  provider.published = [key.published];
  provider.isWell = false;
  const error: unknown = await Promise.resolve(verify(await token(key))).catch((reason: unknown) => reason);
  expect(kindOf(error)).toBe('unavailable');
  provider.isWell = true;
  expect(await verify(await token(key))).toEqual(caller);
});

test('the configuration says whom to believe', async () => {
  const key = await signingKey('k');
  provider.published = [key.published];
  const configured = await tokenVerifierOf(
    { identityProvider: provider.identity, dataFolder: '/nonexistent' },
    { wallClock: clock, steadyClock: clock },
  );
  expect(await configured(await token(key))).toEqual(caller);
});
