import type { Decider } from '@waybill/shared-kernel/decider.js';
import { AlreadyExists, NotFound } from '@waybill/shared-kernel/errors.js';
import type {
  CustomerAddressChanged,
  CustomerEvent,
  CustomerRegistered,
} from '@waybill/shared-kernel/events/customer.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';

/** What can be asked of a customer. Name, phone and address arrive sealed. */
export type CustomerCommand =
  | { readonly type: 'RegisterCustomer'; readonly customer: CustomerRegistered }
  | ({ readonly type: 'ChangeCustomerAddress' } & CustomerAddressChanged);

export type CustomerState =
  | { readonly status: 'none' }
  | { readonly status: 'registered'; readonly customerId: string; readonly address: Sealed };

function evolve(state: CustomerState, event: CustomerEvent): CustomerState {
  switch (event.type) {
    case 'CustomerRegistered':
      if (state.status !== 'none') return state;
      return { status: 'registered', customerId: event.data.customerId, address: event.data.address };
    case 'CustomerAddressChanged':
      return state.status === 'none' ? state : { ...state, address: event.data.address };
    default:
      event satisfies never;
      return state;
  }
}

function decide(command: CustomerCommand, state: CustomerState): readonly CustomerEvent[] {
  switch (command.type) {
    case 'RegisterCustomer':
      if (state.status !== 'none') throw new AlreadyExists('customer', command.customer.customerId);
      return [{ type: 'CustomerRegistered', data: command.customer }];
    case 'ChangeCustomerAddress': {
      const { customerId, address } = command;
      if (state.status === 'none') throw new NotFound('customer', customerId);
      return state.address === address ? [] : [{ type: 'CustomerAddressChanged', data: { customerId, address } }];
    }
    default:
      return command satisfies never;
  }
}

export const customer: Decider<CustomerCommand, CustomerState, CustomerEvent> = {
  initialState: { status: 'none' },
  decide,
  evolve,
  stateVersion: 1,
};
