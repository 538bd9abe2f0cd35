import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { Unauthenticated } from '@waybill/shared-kernel/errors.js';
import { virtualClock, virtualClocks } from '../../clock/seeded.js';
import { issueDevelopmentToken, openDevelopmentKey, type DevelopmentKey } from './development-key.js';
import { createTokenVerifier } from './tokens.js';

const start = '2026-01-01T00:00:00Z';
const startSeconds = Date.parse(start) / 1000;
let folder: string;
let key: DevelopmentKey;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-tokens-'));
  key = await openDevelopmentKey(join(folder, 'development-key.json'));
});
afterAll(() => rm(folder, { recursive: true }));

const goodClaims: JWTPayload = {
  iss: 'urn:waybill:development',
  aud: 'waybill',
  sub: 'c1',
  roles: ['customer'],
  iat: startSeconds,
  exp: startSeconds + 60,
};

function sign(claims: JWTPayload, by: CryptoKey = key.privateKey): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(by);
}

async function verified(token: string): Promise<unknown> {
  return createTokenVerifier(key.trusted, virtualClocks(start))(token);
}

test('a token stands for its subject in its roles', async () => {
  expect(await verified(await sign(goodClaims))).toEqual({ sub: 'c1', roles: ['customer'] });
});

test('a token of the command line is one', async () => {
  const clock = virtualClock(start);
  const token = await issueDevelopmentToken(key, { sub: 'm-1', roles: ['merchant', 'operator'] }, clock);
  clock.advance(30 * 24 * 3600 * 1000 - 1);
  expect(await createTokenVerifier(key.trusted, { wallClock: clock, steadyClock: clock })(token)).toEqual({
    sub: 'm-1',
    roles: ['merchant', 'operator'],
  });
});

describe('refuses', () => {
  test.each<[string, JWTPayload]>([
    ['one that has expired', { ...goodClaims, exp: startSeconds - 6 }],
    ['one that does not expire', (({ exp: _exp, ...rest }) => rest)(goodClaims)],
    ['one that does not hold yet', { ...goodClaims, nbf: startSeconds + 60 }],
    ['one of the future', { ...goodClaims, iat: startSeconds + 60 }],
    ['one for another audience', { ...goodClaims, aud: 'elsewhere' }],
    ['one of another issuer', { ...goodClaims, iss: 'https://elsewhere.example' }],
    ['one without a subject', (({ sub: _sub, ...rest }) => rest)(goodClaims)],
    ['one whose subject is no id', { ...goodClaims, sub: "x' OR 1=1" }],
    ['one without roles', (({ roles: _roles, ...rest }) => rest)(goodClaims)],
    ['one with no role', { ...goodClaims, roles: [] }],
    ['one with an unknown role', { ...goodClaims, roles: ['customer', 'root'] }],
    ['one whose roles are no list', { ...goodClaims, roles: 'operator' }],
  ])('%s', async (_what, claims) => {
    await expect(verified(await sign(claims))).rejects.toThrow(Unauthenticated);
  });

  test('one signed by another key', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    await expect(verified(await sign(goodClaims, privateKey))).rejects.toThrow(Unauthenticated);
  });

  test('one that was changed', async () => {
    const [head, , signature] = (await sign(goodClaims)).split('.');
    const claims = Buffer.from(JSON.stringify({ ...goodClaims, roles: ['operator'] })).toString('base64url');
    await expect(verified(`${head}.${claims}.${signature}`)).rejects.toThrow(Unauthenticated);
  });

  test('one without a signature, and one signed with the public half as a secret', async () => {
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    await expect(verified(`${encode({ alg: 'none' })}.${encode(goodClaims)}.`)).rejects.toThrow(Unauthenticated);
    const symmetric = await new SignJWT(goodClaims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode('waybill'.repeat(8)));
    await expect(verified(symmetric)).rejects.toThrow(Unauthenticated);
  });

  test.each([['nonsense'], ['a.b.c'], ['x'.repeat(5000)]])('%s', async (token) => {
    await expect(verified(token)).rejects.toThrow(Unauthenticated);
  });
});

test('a token seen before is answered at once, until it expires', async () => {
  const clocks = virtualClocks(start);
  const verify = createTokenVerifier(key.trusted, clocks);
  const token = await sign(goodClaims);
  const first = await verify(token);
  expect(verify(token)).toBe(first);
  clocks.pass(60_000 + 5_000);
  await expect(verify(token)).rejects.toThrow('expired');
});

test('a token seen before is looked at again after minutes, also where the wall clock was set back', async () => {
  const clocks = virtualClocks(start);
  const token = await sign(goodClaims);
  let asked = 0;
  const verify = createTokenVerifier(
    {
      ...key.trusted,
      key: () => {
        asked += 1;
        return Promise.resolve(key.trusted.key as CryptoKey);
      },
    },
    clocks,
  );
  await verify(token);
  clocks.wallClock.advance(-3_000);
  await verify(token);
  expect(asked).toBe(1);
  clocks.steadyClock.advance(5 * 60_000);
  await verify(token);
  expect(asked).toBe(2);
});
