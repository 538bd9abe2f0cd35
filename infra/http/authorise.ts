import { Forbidden, Unauthenticated } from '@waybill/shared-kernel/errors.js';
import type { Caller, Role } from './caller.js';

const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/** The token of an `Authorization` header, RFC 6750 §2.1. */
export function bearerToken(authorization: string | undefined): string {
  const token = authorization === undefined ? undefined : bearer.exec(authorization)?.[1];
  if (token === undefined) throw new Unauthenticated('Send a token: "Authorization: Bearer <token>".');
  return token;
}

/** Lets a caller pass who has one of the roles. */
export function requireRole(caller: Caller, roles: readonly Role[]): void {
  if (caller.roles.some((role) => roles.includes(role))) return;
  throw new Forbidden(`This takes ${roles.length === 1 ? 'the role' : 'one of the roles'} ${roles.join(', ')}.`);
}
