import type { Projection } from '@waybill/shared-kernel/projection.js';
import { customers } from './customers.js';
import { deliveries } from './deliveries.js';
import { orders } from './orders.js';
import { products } from './products.js';

/** Every read model. */
export const projections: readonly Projection[] = [orders, deliveries, products, customers];
