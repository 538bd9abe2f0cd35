import { Forbidden, NotFound, type WaybillError } from '@waybill/shared-kernel/errors.js';
import { roles, type Caller, type Role } from './identity/caller.js';

/** Which things a role reaches: those that are theirs, those that are nobody's yet, or each. */
export type Reach = 'own' | 'open' | 'any';

/** What is seen of a thing: all of it, or all but personal data. */
export type Visibility = 'personal' | 'redacted';

export type Grant = Readonly<Partial<Record<Reach, Visibility>>>;

/** A row: who may do one thing, with which things. A role that is not named may not. */
export type Access = Readonly<Partial<Record<Role, Grant>>> & {
  /** What those hear who have a role of the row, but not for this thing: that they may not, or that there is no such thing. */
  readonly others: 403 | 404;
};

/**
 * Who may do what, by the operation: `GET /v1/orders/:orderId`. What has no row, nobody may do. `signed`: no token and
 * no role opens it, a signature over the body does.
 */
export type AccessTable = Readonly<Record<string, Access | 'signed'>>;

/** The row of an operation, with its path as routes or as OpenAPI documents write it. */
export function accessTo(table: AccessTable, method: string, path: string): Access | 'signed' | undefined {
  const name = `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`;
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

export function rolesOf(access: Access | 'signed'): readonly Role[] {
  if (access === 'signed') return [];
  return roles.filter((role) => access[role] !== undefined);
}

/** Lets a caller pass who has a role of the row. Throws `Forbidden`. */
export function requireRole(caller: Caller, access: Access | 'signed' | undefined): asserts access is Access {
  if (access === undefined || access === 'signed') throw new Forbidden('No role allows this.');
  if (caller.roles.some((role) => access[role] !== undefined)) return;
  const allowed = rolesOf(access);
  throw new Forbidden(`This requires ${allowed.length === 1 ? 'the role' : 'one of the roles'} ${allowed.join(', ')}.`);
}

/** A caller, and the row of what they ask for. */
export interface Asker {
  readonly caller: Caller;
  readonly access: Access;
}

/** Whose a thing is, by role: the ids of those to whom it is their own. */
export type Owners = Readonly<Partial<Record<Role, string | readonly string[] | undefined>>> & {
  /** It is nobody's yet. */
  readonly open?: boolean;
};

function visibilityIn(role: Role, { caller, access }: Asker, owners: Owners): Visibility | undefined {
  const grant = access[role];
  if (grant === undefined) return undefined;
  const owner = owners[role];
  const isOwn = typeof owner === 'string' ? owner === caller.sub : owner?.includes(caller.sub) === true;
  const visibilities = [grant.any, isOwn ? grant.own : undefined, owners.open === true ? grant.open : undefined];
  return visibilities.includes('personal') ? 'personal' : visibilities.find((visibility) => visibility !== undefined);
}

/** The most that any of the caller's roles shows of a thing; `undefined`: it is not for them. */
export function visibilityOf(asker: Asker, owners: Owners): Visibility | undefined {
  let most: Visibility | undefined;
  for (const role of asker.caller.roles) {
    const visibility = visibilityIn(role, asker, owners);
    if (visibility === 'personal') return visibility;
    most ??= visibility;
  }
  return most;
}

/** The first of the caller's roles in which they reach a thing; `undefined`: it is not for them. */
export function actingRole(asker: Asker, owners: Owners): Role | undefined {
  return asker.caller.roles.find((role) => visibilityIn(role, asker, owners) !== undefined);
}

/** What those hear for whom a thing is not. */
export function notTheirs({ others }: Access, what: string, id: string): WaybillError {
  return others === 404 ? new NotFound(what, id) : new Forbidden(`The ${what} is not yours.`);
}

const things: Readonly<Record<Reach, string>> = { own: 'their own', open: 'open ones', any: 'all' };

function inWords(grant: Grant): string {
  const words = reachesOf(grant).map(
    (reach) => `${things[reach]}${grant[reach] === 'redacted' ? ' without personal data' : ''}`,
  );
  return words.length === 1 && words[0] === things.any ? '' : ` (${words.join(', ')})`;
}

function reachesOf(grant: Grant): readonly Reach[] {
  return (['own', 'open', 'any'] as const).filter((reach) => grant[reach] !== undefined);
}

/** A row as an OpenAPI document holds it: in words, and as `x-roles`, role → what it reaches. */
export function described(access: Access): {
  readonly words: string;
  readonly roles: Readonly<Record<string, object>>;
} {
  const allowed = rolesOf(access).map((role) => [role, access[role]!] as const);
  return {
    words: `Roles: ${allowed.map(([role, grant]) => `${role}${inWords(grant)}`).join(', ')}.`,
    roles: Object.fromEntries(allowed.map(([role, grant]) => [role, reachesOf(grant)])),
  };
}
