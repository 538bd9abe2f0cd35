import type { Decider } from '@waybill/shared-kernel/decider.js';
import { IdTaken, LimitReached, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type {
  CustomerAddressChanged,
  CustomerEvent,
  CustomerRegistered,
} from '@waybill/shared-kernel/events/customer.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';

/** Ids of orders that are under way. */
export interface UnderWay {
  /** Those of the customer. */
  readonly theirs: readonly string[];
  /** Those of which nobody can tell whose they are, as their first event cannot be read. */
  readonly ofUnknown: readonly string[];
}

/** What can be asked of a customer. Name, phone and address arrive sealed. */
export type CustomerCommand =
  | { readonly type: 'RegisterCustomer'; readonly customer: CustomerRegistered }
  /** `at`: now, RFC 3339 UTC. */
  | ({ readonly type: 'ChangeCustomerAddress'; readonly at: string } & CustomerAddressChanged)
  | {
      readonly type: 'EraseCustomer';
      readonly customerId: string;
      /** Orders that are neither delivered nor ended otherwise. */
      readonly ordersUnderWay: UnderWay;
    };

export type CustomerState =
  | { readonly status: 'none' }
  | {
      readonly status: 'registered';
      readonly customerId: string;
      readonly address: Sealed;
      /** How often the address was changed on the last day on which it was. */
      readonly changes: { readonly day: string; readonly count: number };
    }
  | { readonly status: 'erased'; readonly customerId: string };

/** Address changes of one customer on one day, UTC. */
export const mostAddressChangesADay = 200;

export type CustomerHistory = CustomerEvent & { readonly occurredAt?: string };

function evolve(state: CustomerState, event: CustomerHistory): CustomerState {
  switch (event.type) {
    case 'CustomerRegistered':
      if (state.status !== 'none') return state;
      return {
        status: 'registered',
        customerId: event.data.customerId,
        address: event.data.address,
        changes: { day: '', count: 0 },
      };
    case 'CustomerAddressChanged': {
      if (state.status !== 'registered') return state;
      const { changes } = state;
      const day = dayOf(event.occurredAt ?? '');
      const isLater = day > changes.day;
      return {
        ...state,
        address: event.data.address,
        changes: isLater ? { day, count: 1 } : { ...changes, count: changes.count + 1 },
      };
    }
    case 'CustomerErased':
      return { status: 'erased', customerId: event.data.customerId };
    default:
      event satisfies never;
      return state;
  }
}

function decide(command: CustomerCommand, state: CustomerState): readonly CustomerEvent[] {
  switch (command.type) {
    case 'RegisterCustomer':
      if (state.status === 'erased') throw customerErased(state.customerId);
      if (state.status === 'registered') throw new IdTaken(command.customer.customerId);
      return [{ type: 'CustomerRegistered', data: command.customer }];
    case 'ChangeCustomerAddress': {
      const { customerId, address, at } = command;
      if (state.status === 'none') throw new NotFound('customer', customerId);
      if (state.status === 'erased') throw customerErased(customerId);
      if (state.address === address) return [];
      const { day, count } = state.changes;
      if (count >= mostAddressChangesADay && dayOf(at) <= day) throw tooManyChanges(customerId, at);
      return [{ type: 'CustomerAddressChanged', data: { customerId, address } }];
    }
    case 'EraseCustomer': {
      const { customerId, ordersUnderWay } = command;
      if (state.status === 'none') throw new NotFound('customer', customerId);
      if (state.status === 'erased') return [];
      refuseUnderWay(customerId, ordersUnderWay);
      return [{ type: 'CustomerErased', data: { customerId } }];
    }
    default:
      return command satisfies never;
  }
}

function dayOf(time: string): string {
  return time.slice(0, 'YYYY-MM-DD'.length);
}

const millisecondsADay = 86_400_000;

function tooManyChanges(customerId: string, at: string): LimitReached {
  const untilMidnightMs = millisecondsADay - (Date.parse(at) % millisecondsADay);
  return new LimitReached(
    'address-changes-of-day',
    `The address of customer ${customerId} was changed ${mostAddressChangesADay} times today. It can be changed again tomorrow, UTC.`,
    Math.ceil(untilMidnightMs / 1000),
  );
}

/** The customer's key is destroyed: nothing more can be kept of them under that id, ever. */
export function customerErased(customerId: string): RuleViolated {
  return new RuleViolated('customer-erased', `Customer ${customerId} is erased.`);
}

/** How many orders a refusal names. */
const mostNamed = 10;

/** Throws where an order is under way that is the customer's, or may be. */
export function refuseUnderWay(customerId: string, { theirs, ofUnknown }: UnderWay): void {
  const [orderIds, what] =
    theirs.length > 0
      ? [theirs, 'no order of theirs is under way any more. These are']
      : [ofUnknown, 'it is known whose every order is that is under way. Events of these cannot be read'];
  if (orderIds.length === 0) return;
  const more = orderIds.length > mostNamed ? ` and ${orderIds.length - mostNamed} more` : '';
  const named = orderIds.slice(0, mostNamed).join(', ');
  throw new RuleViolated('orders-under-way', `Customer ${customerId} can be erased when ${what}: ${named}${more}.`);
}

export const customer: Decider<CustomerCommand, CustomerState, CustomerHistory> = {
  initialState: { status: 'none' },
  decide,
  evolve,
  stateVersion: 3,
};
