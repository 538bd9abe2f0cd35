import { Unauthenticated } from '@waybill/shared-kernel/errors.js';

const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/** The token of an `Authorization` header, RFC 6750 §2.1. */
export function bearerToken(authorization: string | undefined): string {
  const token = authorization === undefined ? undefined : bearer.exec(authorization)?.[1];
  if (token === undefined) throw new Unauthenticated('Send a token: "Authorization: Bearer <token>".');
  return token;
}
