import { createApi, type ApiParts } from '@waybill/infra/http/api.js';
import type { Api } from '@waybill/infra/http/server/listen.js';
import type { Route } from '@waybill/infra/http/route.js';
import { oneATurn } from '@waybill/shared-kernel/one-a-turn.js';
import { readAccess } from './access.js';
import { customerDataRoute } from './customer-data.js';
import { customerRoute } from './customers.js';
import { reportRoute } from './daily-report.js';
import { deliveryRoutes } from './deliveries.js';
import type { Dependencies } from './reading/model.js';
import { readApiDocument } from './openapi.js';
import { orderRoutes } from './orders/orders.js';
import { productRoutes } from './products.js';

export interface ReadApiParts extends Omit<ApiParts, 'routes' | 'access' | 'document'>, Dependencies {}

export function readApiRoutes(dependencies: Dependencies): readonly Route[] {
  const turnsOf = oneATurn();
  return [
    ...orderRoutes(dependencies, turnsOf),
    ...deliveryRoutes(dependencies),
    ...productRoutes(dependencies),
    customerRoute(dependencies),
    customerDataRoute(dependencies, turnsOf),
    reportRoute(dependencies),
  ];
}

/** The read API of the contract: appends nothing, and of the log reads only single orders' streams and its end. */
export function createReadApi(parts: ReadApiParts): Api {
  const { events, readStore, keys, clock, steadyClock, timer, commitSignal, ...api } = parts;
  const routes = readApiRoutes({ events, readStore, keys, clock, steadyClock, timer, commitSignal });
  return createApi({ ...api, routes, access: readAccess, document: readApiDocument });
}
