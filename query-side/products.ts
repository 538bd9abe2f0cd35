import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { products, productView, type ProductView } from '@waybill/projections/read-models/products.js';
import { searchedWords } from '@waybill/projections/read-models/words.js';
import { wishOf } from './reading/consistency.js';
import { pageCursorOf } from './reading/cursor.js';
import type { Dependencies, Model } from './reading/model.js';
import { notFoundOrQuarantined, notThere } from './reading/not-found-or-quarantined.js';
import { defaultLimit, id, limit, readQuery, searchText } from './reading/query.js';
import { documentAnswer, readingOf } from './reading/reading.js';

const model: Model<ProductView> = {
  projection: products,
  view: productView,
  subject: () => undefined,
  show: (view) => view,
};

const filters = { merchantId: id, q: searchText, limit, cursor: pageCursorOf(products.collection.name) };

export function productRoutes(dependencies: Dependencies): readonly Route[] {
  const reading = readingOf(model, dependencies);

  async function list({ search, headers }: ApiRequest): Promise<Answer> {
    const { merchantId, q, limit: most = defaultLimit, cursor } = readQuery(search, filters);
    const query = {
      ...(merchantId !== undefined && { equal: { merchantId } }),
      ...(q !== undefined && { startsWith: { word: searchedWords(q) } }),
      limit: most,
      cursor,
    };
    return reading.page(query, 'redacted', wishOf(headers));
  }

  async function one(request: ApiRequest<'/v1/products/:productId'>): Promise<Answer> {
    const { params, search, headers } = request;
    readQuery(search, {});
    const wish = wishOf(headers);
    const found = await reading.find(params.productId, wish);
    if (found === undefined) throw await notThere('product', params.productId, request, dependencies.events);
    const rendered = await reading.render(found, 'redacted');
    if (rendered === undefined) throw notFoundOrQuarantined('product', params.productId, found);
    return documentAnswer(found, rendered, wish?.headers);
  }

  return [route('GET', '/v1/products', list), route('GET', '/v1/products/:productId', one)];
}
