import type { Decider } from '@waybill/shared-kernel/decider.js';
import { AlreadyExists, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type {
  CustomerAddressChanged,
  CustomerEvent,
  CustomerRegistered,
} from '@waybill/shared-kernel/events/customer.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';

/** What can be asked of a customer. Name, phone and address arrive sealed. */
export type CustomerCommand =
  | { readonly type: 'RegisterCustomer'; readonly customer: CustomerRegistered }
  | ({ readonly type: 'ChangeCustomerAddress' } & CustomerAddressChanged)
  | {
      readonly type: 'EraseCustomer';
      readonly customerId: string;
      /** Ids of the customer's orders that are neither delivered nor ended otherwise. */
      readonly ordersUnderWay: readonly string[];
    };

export type CustomerState =
  | { readonly status: 'none' }
  | { readonly status: 'registered'; readonly customerId: string; readonly address: Sealed }
  | { readonly status: 'erased'; readonly customerId: string };

function evolve(state: CustomerState, event: CustomerEvent): CustomerState {
  switch (event.type) {
    case 'CustomerRegistered':
      if (state.status !== 'none') return state;
      return { status: 'registered', customerId: event.data.customerId, address: event.data.address };
    case 'CustomerAddressChanged':
      return state.status === 'registered' ? { ...state, address: event.data.address } : state;
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
      if (state.status === 'registered') throw new AlreadyExists('customer', command.customer.customerId);
      return [{ type: 'CustomerRegistered', data: command.customer }];
    case 'ChangeCustomerAddress': {
      const { customerId, address } = command;
      if (state.status === 'none') throw new NotFound('customer', customerId);
      if (state.status === 'erased') throw customerErased(customerId);
      return state.address === address ? [] : [{ type: 'CustomerAddressChanged', data: { customerId, address } }];
    }
    case 'EraseCustomer': {
      const { customerId, ordersUnderWay } = command;
      if (state.status === 'none') throw new NotFound('customer', customerId);
      if (state.status === 'erased') return [];
      if (ordersUnderWay.length > 0) throw ordersAreUnderWay(customerId, ordersUnderWay);
      return [{ type: 'CustomerErased', data: { customerId } }];
    }
    default:
      return command satisfies never;
  }
}

/** The customer's key is destroyed: nothing more can be kept of them under that id, ever. */
export function customerErased(customerId: string): RuleViolated {
  return new RuleViolated('customer-erased', `Customer ${customerId} is erased.`);
}

/** How many orders a refusal names. */
const mostNamed = 10;

function ordersAreUnderWay(customerId: string, orderIds: readonly string[]): RuleViolated {
  const more = orderIds.length > mostNamed ? ` and ${orderIds.length - mostNamed} more` : '';
  const named = orderIds.slice(0, mostNamed).join(', ');
  return new RuleViolated(
    'orders-under-way',
    `Customer ${customerId} can be erased when no order of theirs is under way any more. These are: ${named}${more}.`,
  );
}

export const customer: Decider<CustomerCommand, CustomerState, CustomerEvent> = {
  initialState: { status: 'none' },
  decide,
  evolve,
  stateVersion: 2,
};
