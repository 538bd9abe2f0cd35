import type { Caller } from '@waybill/infra/http/caller.js';
import type { OrderParties } from '@waybill/projections/orders.js';
import { Forbidden } from '@waybill/shared-kernel/errors.js';

/**
 * What a caller sees of a document: all of it, or all but personal data. `undefined`: it is not theirs to know of, and
 * the answer is that of a document that is not there.
 */
export type Sight = 'personal' | 'bare';

/** Operators see everything, auditors everything but people. */
function sightOfAll({ roles }: Caller): Sight | undefined {
  if (roles.includes('operator')) return 'personal';
  return roles.includes('auditor') ? 'bare' : undefined;
}

function isCustomer({ sub, roles }: Caller, customerId: string | undefined): boolean {
  return sub === customerId && roles.includes('customer');
}

function isCourier({ sub, roles }: Caller, courierId: string | undefined): boolean {
  return sub === courierId && roles.includes('courier');
}

/** The customer sees it whole, so does the courier who brings it; a merchant of its lines need not know where to. */
export function sightOfOrder(caller: Caller, { customerId, courierId, merchantIds }: OrderParties): Sight | undefined {
  const all = sightOfAll(caller);
  if (all === 'personal' || isCustomer(caller, customerId) || isCourier(caller, courierId)) return 'personal';
  return all ?? (caller.roles.includes('merchant') && merchantIds.includes(caller.sub) ? 'bare' : undefined);
}

export interface DeliveryParties {
  readonly customerId?: string;
  readonly courierId?: string;
  readonly status: string;
}

/** The courier needs the address; others who look for a parcel, or for work, do not. */
export function sightOfDelivery(caller: Caller, { customerId, courierId, status }: DeliveryParties): Sight | undefined {
  const all = sightOfAll(caller);
  if (all === 'personal' || isCourier(caller, courierId)) return 'personal';
  const isOpen = status === 'open' && caller.roles.includes('courier');
  return all ?? (isOpen || isCustomer(caller, customerId) ? 'bare' : undefined);
}

export function sightOfCustomer(caller: Caller, customerId: string): Sight | undefined {
  return isCustomer(caller, customerId) ? 'personal' : sightOfAll(caller);
}

/** A list narrowed to what its caller may see. */
export interface Scope<Filters> {
  readonly sight: Sight;
  readonly filters: Filters;
}

export interface OrderFilters {
  readonly customerId?: string;
  readonly merchantId?: string;
}

/** Whose orders are listed: where a customer or a merchant names nobody, their own. */
export function scopeOfOrders(caller: Caller, filters: OrderFilters): Scope<OrderFilters> {
  const all = sightOfAll(caller);
  if (all !== undefined) return { sight: all, filters };
  const { sub, roles } = caller;
  const { customerId, merchantId } = filters;
  const namesNobody = customerId === undefined && merchantId === undefined;
  if (roles.includes('customer') && (customerId === sub || namesNobody || !roles.includes('merchant'))) {
    if ((customerId ?? sub) !== sub) throw new Forbidden('These are orders of another customer.');
    return { sight: 'personal', filters: { ...filters, customerId: sub } };
  }
  if (!roles.includes('merchant')) throw new Forbidden('These orders are not yours.');
  if ((merchantId ?? sub) !== sub) throw new Forbidden('These are orders of another merchant.');
  return { sight: 'bare', filters: { ...filters, merchantId: sub } };
}

export interface DeliveryFilters {
  readonly courierId?: string;
  readonly status?: string;
}

/** Which deliveries are listed: for couriers their own, or the open ones. */
export function scopeOfDeliveries(caller: Caller, filters: DeliveryFilters): Scope<DeliveryFilters> {
  const all = sightOfAll(caller);
  if (all !== undefined && !(all === 'bare' && isCourier(caller, filters.courierId))) return { sight: all, filters };
  if (filters.courierId === undefined && filters.status === 'open') return { sight: 'bare', filters };
  if ((filters.courierId ?? caller.sub) !== caller.sub) throw new Forbidden('These are deliveries of another courier.');
  return { sight: 'personal', filters: { ...filters, courierId: caller.sub } };
}
