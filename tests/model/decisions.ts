import type { Caller } from './commands.js';
import type { World } from './world.js';

/** What is answered when nothing is done. */
export interface Refusal {
  readonly status: number;
  /** Ends the problem's type. */
  readonly kind: string;
  /** Of `rule-violated`. */
  readonly rule?: string;
  /** Of `invalid-input`: what the errors point at. */
  readonly pointers?: readonly string[];
  readonly currentRevision?: number;
}

export function isRefusal(decision: object): decision is Refusal {
  return 'kind' in decision;
}

/** What follows from a command: the same world, where everything is as it asks already. */
export type Decision = Refusal | World;

/** What a command is about. */
export interface Matter {
  /** The id it has, or gets. */
  readonly id: string;
  /** How its id is called in answers. */
  readonly idName: string;
  /** −1: it is not there. */
  readonly revision: number;
  /** Whose personal data are concerned. */
  readonly customerId: string | null;
  /** Not there for the caller, or not theirs. */
  readonly refusal?: Refusal | undefined;
  /** Asked only where nothing was refused before. */
  readonly decide: () => Decision;
}

export const notFound: Refusal = { status: 404, kind: 'not-found' };
export const forbidden: Refusal = { status: 403, kind: 'forbidden' };
export const idTaken: Refusal = { status: 409, kind: 'id-taken' };

export function againstRule(rule: string): Refusal {
  return { status: 409, kind: 'rule-violated', rule };
}

export function invalid(...pointers: readonly string[]): Refusal {
  return { status: 400, kind: 'invalid-input', pointers };
}

export function isCustomerOrOperator({ role, sub }: Caller, customerId: string): boolean {
  return role === 'operator' || (role === 'customer' && sub === customerId);
}
