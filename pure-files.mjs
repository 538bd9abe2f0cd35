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
  'command-side/fulfilment/deadlines/time-limits.ts',
  'command-side/fulfilment/fulfilment-stream.ts',
  'command-side/ordering/order.ts',
  'command-side/payments/payment.ts',
  'infra/payment-gateway/simulator/payment.ts',
  'projections/read-models/customers.ts',
  'projections/read-models/deliveries.ts',
  'projections/read-models/delivery-progress.ts',
  'projections/read-models/fold-document.ts',
  'projections/read-models/orders.ts',
  'projections/read-models/products.ts',
  'projections/replay/point-in-time.ts',
  'projections/read-models/words.ts',
  'shared-kernel/events/catalogue.ts',
  'shared-kernel/events/upcast.ts',
  'command-side/fulfilment/fulfilment-state.ts',
  'shared-kernel/partitions/partition.ts',
  'shared-kernel/stream.ts',
  'command-side/fulfilment/suspension/suspended-orders.ts',
  'command-side/fulfilment/worklist/worklist.ts',
];
