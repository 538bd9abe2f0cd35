import type { ApiRequest } from '@waybill/infra/http/route.js';
import { IdempotencyKeyMissing } from '@waybill/shared-kernel/errors.js';
import { formerRequestIdOf, requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { CommandRequest, KeyedRequest, RequestKey } from '../handling/handle-command.js';

/** A request whose path names an id. */
export type RequestOn<Name extends string> = ApiRequest & { readonly params: Readonly<Record<Name, string>> };

/** 1 to 255 visible ASCII characters and spaces. */
const keyForm = /^[\x20-\x7e]{1,255}$/;

/** A command that the caller may repeat under its `Idempotency-Key`. Throws `IdempotencyKeyMissing` without one. */
export function repeatableRequest(request: ApiRequest): KeyedRequest {
  const { method, path, headers, caller } = request;
  const key = headers['idempotency-key'];
  if (key === undefined || key === '') {
    throw new IdempotencyKeyMissing('Send an Idempotency-Key header, a new one for every new command.');
  }
  if (typeof key !== 'string' || !keyForm.test(key)) {
    throw new IdempotencyKeyMissing('An Idempotency-Key is 1 to 255 visible ASCII characters.');
  }
  return asked(request, {
    idIn: (role) => requestIdOf(caller.sub, role, method, path, key),
    formerId: formerRequestIdOf(caller.sub, method, path, key),
  });
}

/** A command that is known by what it says and needs no key. */
export function plainRequest(request: ApiRequest): CommandRequest {
  return asked(request, undefined);
}

/** All of it in one literal: what is spread into another gets a shape of its own each time, and is slow to use after. */
function asked<Key extends RequestKey | undefined>(
  { route, caller, access, body, headers, requestId, traceparent }: ApiRequest,
  key: Key,
): CommandRequest & { readonly key: Key } {
  return {
    route,
    caller: caller.sub,
    roles: caller.roles.filter((role) => access[role] !== undefined),
    key,
    payload: body ?? {},
    matches: matcherOf(headers['if-match']),
    correlationId: requestId,
    traceparent,
  };
}

/** RFC 9110 §13.1.1: a list of entity tags, of which only strong ones match, or `*` for whatever exists. */
function matcherOf(header: string | undefined): CommandRequest['matches'] {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return (revision) => revision >= 0;
  const tags = header.split(',').map((tag) => tag.trim());
  return (revision) => tags.includes(`"${revision}"`);
}
