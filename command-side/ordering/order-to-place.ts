import { InvalidInput, type FieldFault } from '@waybill/shared-kernel/errors.js';
import type { OrderLine, OrderPlaced } from '@waybill/shared-kernel/events/order.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import { customerErased } from '../customers/customer.js';
import { sealAddress } from '../http/address-body.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { PlaceOrderBody } from './bodies.js';

/** `keys`, `randomness`: to seal an address that is given. */
export interface OrderToPlaceDependencies {
  readonly aggregates: Pick<Aggregates, 'customers' | 'products'>;
  readonly keys: KeyStore;
  readonly randomness: Randomness;
}

/**
 * What an order is placed with: names and prices from the catalogue, the customer's own address where no other is given,
 * as they stand now or stood a moment ago. Throws `InvalidInput` that points at every customer, product or line that cannot be, and
 * `RuleViolated` where the customer is erased.
 */
export async function orderToPlace(
  orderId: string,
  body: PlaceOrderBody,
  dependencies: OrderToPlaceDependencies,
): Promise<OrderPlaced> {
  const faults: FieldFault[] = [];
  const [address, lines] = await Promise.all([
    deliveryAddress(body, dependencies, faults),
    orderLines(body, dependencies, faults),
  ]);
  const currency = lines[0]?.currency;
  for (const line of lines) {
    if (line.currency === currency) continue;
    const detail = `It is sold in ${line.currency}, the others in ${currency}: place separate orders.`;
    faults.push({ pointer: `/lines/${line.index}/productId`, detail });
  }
  const total = lines.reduce((sum, { line }) => sum + line.quantity * line.unitPrice, 0);
  if (!Number.isSafeInteger(total)) faults.push({ pointer: '/lines', detail: 'The total is too large.' });
  if (faults.length > 0 || address === undefined || currency === undefined) throw new InvalidInput(faults);
  return {
    orderId,
    customerId: body.customerId,
    lines: lines.map(({ line }) => line),
    currency,
    total,
    deliveryAddress: address,
    paymentToken: body.payment.token,
    promisedBy: null,
  };
}

async function deliveryAddress(
  { customerId, deliveryAddress: given }: PlaceOrderBody,
  { aggregates, keys, randomness }: OrderToPlaceDependencies,
  faults: FieldFault[],
): Promise<Sealed | undefined> {
  const [{ state }, key] = await Promise.all([aggregates.customers.lookUp(customerId), keys.find(customerId)]);
  if (state.status === 'erased') throw customerErased(customerId);
  if (state.status === 'none' || key === undefined) {
    faults.push({ pointer: '/customerId', detail: `There is no customer ${customerId}.` });
    return undefined;
  }
  return given === undefined ? state.address : sealAddress(given, customerId, key, randomness);
}

async function orderLines(
  body: PlaceOrderBody,
  { aggregates }: OrderToPlaceDependencies,
  faults: FieldFault[],
): Promise<readonly { readonly index: number; readonly line: OrderLine; readonly currency: string }[]> {
  const loaded = await Promise.all(body.lines.map(({ productId }) => aggregates.products.lookUp(productId)));
  return body.lines.flatMap(({ productId, quantity }, index) => {
    const state = loaded[index]?.state;
    if (state?.status === 'listed') {
      const { merchantId, name, unitPrice, currency } = state;
      return { index, line: { productId, merchantId, name, quantity, unitPrice, freight: null }, currency };
    }
    const why = state?.status === 'withdrawn' ? 'was withdrawn' : 'is not in the catalogue';
    faults.push({ pointer: `/lines/${index}/productId`, detail: `Product ${productId} ${why}.` });
    return [];
  });
}
