import type { Sealed } from '../personal-data.js';

/** Events of `customer-<customerId>`. A storage format: golden JSON in `golden/`. */
export type CustomerEvent =
  | { readonly type: 'CustomerRegistered'; readonly data: CustomerRegistered }
  | { readonly type: 'CustomerAddressChanged'; readonly data: CustomerAddressChanged };

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
