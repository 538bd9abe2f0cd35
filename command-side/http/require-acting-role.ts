import { actingRole, notTheirs, type Asker, type Owners } from '@waybill/infra/http/access.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';

/** The role in which the caller acts on a thing. Throws what the table says where it is not theirs. */
export function requireActingRole(asker: Asker, owners: Owners, what: string, id: string): Role {
  const role = actingRole(asker, owners);
  if (role === undefined) throw notTheirs(asker.access, what, id);
  return role;
}
