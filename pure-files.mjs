/**
 * The files that decide and fold: commands and events in, events and documents out, with no clock, no randomness and
 * no input or output. ESLint keeps such globals out of them, dependency-cruiser such modules, also those they would
 * reach through others. `tests/house/purity.test.ts` finds every decider and projection of the tree in this list.
 */
export const pureFiles = [
  'command-side/catalogue/product.ts',
  'command-side/catalogue/stock.ts',
  'command-side/customers/customer.ts',
  'command-side/delivery/delivery.ts',
  'command-side/delivery/reports.ts',
  'command-side/fulfilment/fulfilment.ts',
  'command-side/fulfilment/due-commands.ts',
  'command-side/fulfilment/patience.ts',
  'command-side/fulfilment/fulfilment-stream.ts',
  'command-side/ordering/order.ts',
  'command-side/payments/payment.ts',
  'infra/payment-gateway/simulator/payment.ts',
  'projections/customers.ts',
  'projections/deliveries.ts',
  'projections/delivery-progress.ts',
  'projections/fold-document.ts',
  'projections/orders.ts',
  'projections/products.ts',
  'projections/replay/point-in-time.ts',
  'projections/words.ts',
  'shared-kernel/events/catalogue.ts',
  'shared-kernel/events/upcast.ts',
  'shared-kernel/fulfilment-state.ts',
  'shared-kernel/partition.ts',
  'shared-kernel/stream.ts',
  'shared-kernel/suspended-orders.ts',
  'shared-kernel/worklist.ts',
];
