import type { Caller, Role } from '@waybill/infra/http/caller.js';

/**
 * The first of these roles that the caller has and in which the thing is theirs; an operator's is everything.
 * `undefined`: it is not theirs.
 */
export function actingRole(caller: Caller, owned: Readonly<Partial<Record<Role, boolean>>>): Role | undefined {
  return caller.roles.find((role) => role === 'operator' || owned[role] === true);
}
