import type { Sealed } from '../personal-data.js';

/** Events of `customer-<customerId>`. A storage format: golden JSON in `golden/`. */
export type CustomerEvent =
  | { readonly type: 'CustomerRegistered'; readonly data: CustomerRegistered }
  | { readonly type: 'CustomerAddressChanged'; readonly data: CustomerAddressChanged }
  | { readonly type: 'CustomerErased'; readonly data: CustomerErased };

export interface CustomerRegistered {
  readonly customerId: string;
  readonly name: Sealed;
  readonly phone: Sealed;
  readonly address: Sealed;
}

export interface CustomerAddressChanged {
  readonly customerId: string;
  readonly address: Sealed;
}

/** From here on the customer's key is destroyed, or about to be: what was sealed with it is nobody's to read. */
export interface CustomerErased {
  readonly customerId: string;
}
