import type { ApiRequest } from '@waybill/infra/http/route.js';
import { IdempotencyKeyMissing } from '@waybill/shared-kernel/errors.js';
import { requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { CommandRequest } from '../handle-command.js';

/** A request whose path names an id. */
export type RequestOn<Name extends string> = ApiRequest & { readonly params: Readonly<Record<Name, string>> };

/** 1 to 255 visible ASCII characters and spaces. */
const keyForm = /^[\x20-\x7e]{1,255}$/;

/** A command that the caller may repeat under its `Idempotency-Key`. Throws `IdempotencyKeyMissing` without one. */
export function repeatableRequest(request: ApiRequest): CommandRequest {
  const { method, path, headers, caller } = request;
  const key = headers['idempotency-key'];
  if (key === undefined || key === '') {
    throw new IdempotencyKeyMissing('Send an Idempotency-Key header, a new one for every new command.');
  }
  if (typeof key !== 'string' || !keyForm.test(key)) {
    throw new IdempotencyKeyMissing('An Idempotency-Key is 1 to 255 visible ASCII characters.');
  }
  return asked(request, requestIdOf(caller.sub, method, path, key), true);
}

/** A command that is known by what it says and needs no key. */
export function plainRequest(request: ApiRequest, randomness: Randomness): CommandRequest {
  return asked(request, randomness.uuid(), false);
}

/** All of it in one literal: what is spread into another gets a shape of its own each time, and is slow to use after. */
function asked(
  { route, caller, body, headers, requestId, traceparent }: ApiRequest,
  id: string,
  repeatable: boolean,
): CommandRequest {
  return {
    route,
    caller: caller.sub,
    id,
    repeatable,
    payload: body ?? {},
    matches: matcherOf(headers['if-match']),
    correlationId: requestId,
    traceparent,
  };
}

const any = (): boolean => true;

/** RFC 9110 §13.1.1: a list of entity tags, of which only strong ones match, or `*` for whatever exists. */
function matcherOf(header: string | undefined): (revision: number) => boolean {
  if (header === undefined) return any;
  if (header.trim() === '*') return (revision) => revision >= 0;
  const tags = header.split(',').map((tag) => tag.trim());
  return (revision) => tags.includes(`"${revision}"`);
}
