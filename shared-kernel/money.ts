/** An amount in integer minor units (cents; won have none) of an ISO 4217 currency. */
export interface Money {
  readonly amount: number;
  readonly currency: string;
}
