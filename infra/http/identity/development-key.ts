import { randomUUID } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { exportJWK, generateKeyPair, importJWK, SignJWT, type CryptoKey, type JWK } from 'jose';
import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { epochMs, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Caller } from './caller.js';
import type { TrustedIssuer } from './tokens.js';

/** The key pair of the data folder, by which this installation issues tokens to itself. Not for production. */
export interface DevelopmentKey {
  readonly privateKey: CryptoKey;
  readonly trusted: TrustedIssuer;
}

const algorithm = 'ES256';
const issuer = 'urn:waybill:development';
const audience = 'waybill';
const thirtyDays = 30 * 24 * 60 * 60;

function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

/**
 * Writes a new key where there is none. A complete file appears under the name or none does, and of two processes that
 * start at once one wins: a hard link never replaces what is there.
 */
async function createKeyFile(path: string): Promise<void> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const draft = `${path}.${randomUUID()}.new`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ ...(await exportJWK(privateKey)), alg: algorithm }, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await unlink(draft);
  }
}

function isPrivateKey(value: unknown): value is JWK & { readonly d: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kty' in value &&
    value.kty === 'EC' &&
    'crv' in value &&
    value.crv === 'P-256' &&
    'd' in value &&
    typeof value.d === 'string'
  );
}

async function importKey(path: string, text: string): Promise<DevelopmentKey> {
  try {
    const jwk: unknown = JSON.parse(text);
    if (!isPrivateKey(jwk)) throw new Error('not a private P-256 JSON Web Key');
    const { d: _secret, ...half } = jwk;
    const [privateKey, key] = await Promise.all([importJWK(jwk, algorithm), importJWK(half, algorithm)]);
    if (privateKey instanceof Uint8Array || key instanceof Uint8Array) throw new Error('a symmetric key');
    return { privateKey, trusted: { issuer, audience, algorithms: [algorithm], key } };
  } catch (error) {
    throw new BadDataFile(
      `${path} holds no development key: delete it (a new one is made; tokens of the old one end) or restore it.`,
      { cause: error },
    );
  }
}

/** The development key at a path; made if there is none. Throws `BadDataFile` for a file that cannot be used. */
export async function openDevelopmentKey(path: string): Promise<DevelopmentKey> {
  try {
    const text = await readFile(path, 'utf8').catch(async (error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
      await createKeyFile(path);
      return readFile(path, 'utf8');
    });
    return await importKey(path, text);
  } catch (error) {
    if (error instanceof BadDataFile) throw error;
    const reason = asError(error).message;
    throw new BadDataFile(`${path} cannot be read or made: ${reason}`, { cause: error });
  }
}

/** A signed token that stands for a caller. `expiresIn` in seconds. */
export function issueDevelopmentToken(
  { privateKey }: DevelopmentKey,
  { sub, roles, expiresIn = thirtyDays }: Caller & { readonly expiresIn?: number },
  clock: WallClock,
): Promise<string> {
  const now = Math.floor(epochMs(clock) / 1000);
  return new SignJWT({ roles: [...roles] })
    .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(sub)
    .setIssuedAt(now)
    .setExpirationTime(now + expiresIn)
    .sign(privateKey);
}
