import { InvalidInput, type FieldFault } from '@waybill/shared-kernel/errors.js';
import type { Authorisation } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import type { Asked } from './payment.js';

/** What a path and a method ask for; `undefined`: there is no such path. */
export type Route =
  | { readonly to: 'authorise' }
  | { readonly to: 'ledger' }
  | { readonly to: 'health' }
  | { readonly to: 'payment'; readonly ask: Exclude<Asked['ask'], 'authorise'>; readonly reference: string };

export interface Routed {
  readonly route: Route;
  readonly method: 'GET' | 'POST';
}

const ofPayment = /^\/v1\/payments\/([^/]+)(?:\/(capture|void|refund))?$/;

export function routeOf(path: string): Routed | undefined {
  if (path === '/healthz') return { route: { to: 'health' }, method: 'GET' };
  if (path === '/v1/ledger') return { route: { to: 'ledger' }, method: 'GET' };
  if (path === '/v1/payments') return { route: { to: 'authorise' }, method: 'POST' };
  const [, reference, step] = ofPayment.exec(path) ?? [];
  if (reference === undefined || !idPattern.test(reference)) return undefined;
  const ask = step as 'capture' | 'void' | 'refund' | undefined;
  return { route: { to: 'payment', ask: ask ?? 'look', reference }, method: ask === undefined ? 'GET' : 'POST' };
}

const fields = {
  reference: { fits: (value: unknown) => typeof value === 'string' && idPattern.test(value), is: 'an id' },
  amount: {
    fits: (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0,
    is: 'minor units, more than 0',
  },
  currency: {
    fits: (value: unknown) => typeof value === 'string' && /^[A-Z]{3}$/.test(value),
    is: 'a code of ISO 4217',
  },
  token: { fits: (value: unknown) => typeof value === 'string' && value !== '' && value.length <= 200, is: 'a token' },
} as const satisfies Record<keyof Authorisation, { fits(value: unknown): boolean; readonly is: string }>;

function isAuthorisation(
  body: Readonly<Record<string, unknown>>,
): body is Readonly<Record<string, unknown>> & Authorisation {
  return faultsOf(body).length === 0;
}

function faultsOf(body: Readonly<Record<string, unknown>>): readonly FieldFault[] {
  const wrong = Object.entries(fields).flatMap(([name, { fits, is }]) =>
    fits(body[name]) ? [] : [{ pointer: `/${name}`, detail: `It must be ${is}.` }],
  );
  const strange = Object.keys(body).filter((name) => !Object.hasOwn(fields, name));
  return [...wrong, ...strange.map((name) => ({ pointer: `/${name}`, detail: 'This field is not known.' }))];
}

/** The authorisation that a body asks for. Throws `InvalidInput`. */
export function authorisationOf(body: unknown): Authorisation {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new InvalidInput([{ pointer: '', detail: 'The body must be an object.' }]);
  }
  const given = body as Readonly<Record<string, unknown>>;
  if (!isAuthorisation(given)) throw new InvalidInput(faultsOf(given));
  return given;
}
