import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { customers, customerView, type CustomerView } from '@waybill/projections/read-models/customers.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { visibilityOfCustomer } from './visibility.js';
import { wishOf } from './reading/consistency.js';
import type { Dependencies, Model } from './reading/model.js';
import { notFoundOrQuarantined, notThere } from './reading/not-found-or-quarantined.js';
import type { Keyring } from './personal-data.js';
import { readQuery } from './reading/query.js';
import { documentAnswer, readingOf } from './reading/reading.js';

/** The customer of a view with their personal data opened. */
export function showCustomer(view: CustomerView, keys: Keyring): object {
  return { ...view, name: keys.open(view.name), phone: keys.open(view.phone), address: keys.open(view.address) };
}

const model: Model<CustomerView> = {
  projection: customers,
  view: customerView,
  subject: (view) => view.customerId,
  show: showCustomer,
};

export function customerRoute(dependencies: Dependencies): Route {
  const reading = readingOf(model, dependencies);

  async function one(request: ApiRequest<'/v1/customers/:customerId'>): Promise<Answer> {
    const { params, search, headers } = request;
    const { customerId } = params;
    readQuery(search, {});
    const wish = wishOf(headers);
    const visibility = visibilityOfCustomer(request, customerId);
    if (visibility === undefined) throw new NotFound('customer', customerId);
    const found = await reading.find(customerId, wish);
    if (found === undefined) throw await notThere('customer', customerId, request, dependencies.events);
    const rendered = await reading.render(found, visibility);
    if (rendered === undefined) throw notFoundOrQuarantined('customer', customerId, found);
    return documentAnswer(found, rendered, wish?.headers);
  }

  return route('GET', '/v1/customers/:customerId', one);
}
