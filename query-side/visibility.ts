import { visibilityOf, type Asker, type Owners, type Visibility } from '@waybill/infra/http/access.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';
import { isUnderWay, type DeliveryStatus } from '@waybill/projections/read-models/delivery-progress.js';
import type { OrderParties } from '@waybill/projections/read-models/orders.js';
import { Forbidden } from '@waybill/shared-kernel/errors.js';

/** What a caller sees of an order. `undefined`: the answer is that of an order that is not there. So for all below. */
export function visibilityOfOrder(asker: Asker, parties: OrderParties): Visibility | undefined {
  const { customerId, courierId, merchantIds, isUnderWay: isWithCourier } = parties;
  const owners = { customer: customerId, merchant: merchantIds };
  return visibilityWithCourier(asker, owners, { courierId, isWithCourier });
}

/** A courier need not know where somebody lives once the parcel is off their hands; that they brought it they may. */
function visibilityWithCourier(
  asker: Asker,
  owners: Owners,
  { courierId, isWithCourier }: { readonly courierId: string | undefined; readonly isWithCourier: boolean | undefined },
): Visibility | undefined {
  const now = visibilityOf(asker, isWithCourier === true ? { ...owners, courier: courierId } : owners);
  return now ?? (visibilityOf(asker, { courier: courierId }) === undefined ? undefined : 'redacted');
}

export interface DeliveryParties {
  readonly customerId?: string;
  readonly courierId?: string;
  readonly status: DeliveryStatus | 'unknown';
}

export function visibilityOfDelivery(
  asker: Asker,
  { customerId, courierId, status }: DeliveryParties,
): Visibility | undefined {
  const owners = { customer: customerId, open: status === 'open' };
  return visibilityWithCourier(asker, owners, { courierId, isWithCourier: status !== 'unknown' && isUnderWay(status) });
}

/** Whether a caller sees all of each delivery, whoever has it. */
export function seesEveryDelivery(asker: Asker): boolean {
  return visibilityOf(asker, {}) === 'personal';
}

export function visibilityOfCustomer(asker: Asker, customerId: string): Visibility | undefined {
  return visibilityOf(asker, { customer: customerId });
}

/** A list narrowed to what its caller may see. */
export interface Scope<Filters> {
  readonly visibility: Visibility;
  readonly filters: Filters;
}

/** Which filter says whose the things of a list are, by role. */
type OwnerFilters<Name extends string> = readonly (readonly [Role, Name])[];

/**
 * What of a list its caller is shown: all that was asked for, if any of their roles may see that; else what is their
 * own, in the first role in which it can be.
 */
function scopeOf<Name extends string, Filters extends Readonly<Partial<Record<Name, string>>>>(
  asker: Asker,
  filters: Filters,
  ownerFilters: OwnerFilters<Name>,
  named: Owners,
): Scope<Filters> {
  const asked = visibilityOf(asker, named);
  if (asked !== undefined) return { visibility: asked, filters };
  const { caller, access } = asker;
  for (const [role, name] of ownerFilters) {
    const visibility = caller.roles.includes(role) ? access[role]?.own : undefined;
    if (visibility !== undefined && filters[name] === undefined) {
      return { visibility, filters: { ...filters, [name]: caller.sub } };
    }
  }
  throw new Forbidden('This belongs to someone else.');
}

export interface OrderFilters {
  readonly customerId?: string;
  readonly merchantId?: string;
}

/** Whose orders are listed: where a customer or a merchant names nobody, their own. */
export function scopeOfOrders(asker: Asker, filters: OrderFilters): Scope<OrderFilters> {
  const { customerId, merchantId } = filters;
  const owners = [
    ['customer', 'customerId'],
    ['merchant', 'merchantId'],
  ] as const;
  return scopeOf(asker, filters, owners, { customer: customerId, merchant: merchantId });
}

export interface ReportFilters {
  readonly merchantId?: string;
}

/** Whose orders a report counts: a merchant's own, where they name nobody. */
export function scopeOfReport(asker: Asker, filters: ReportFilters): Scope<ReportFilters> {
  return scopeOf(asker, filters, [['merchant', 'merchantId']], { merchant: filters.merchantId });
}

export interface DeliveryFilters {
  readonly courierId?: string;
  readonly status?: string;
}

/** Which deliveries are listed: for couriers their own, or the open ones. */
export function scopeOfDeliveries(asker: Asker, filters: DeliveryFilters): Scope<DeliveryFilters> {
  const { courierId, status } = filters;
  const open = courierId === undefined && status === 'open';
  return scopeOf(asker, filters, [['courier', 'courierId']], { courier: courierId, open });
}
