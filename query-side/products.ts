import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { products, productView, type ProductView } from '@waybill/projections/read-models/products.js';
import { searchedWords } from '@waybill/projections/read-models/words.js';
import { wishOf } from './reading/consistency.js';
import { pageCursorOf } from './reading/cursor.js';
import type { Means, Model } from './reading/model.js';
import { notShown, notThere } from './reading/not-shown.js';
import { defaultLimit, id, limit, readQuery, searchText } from './reading/query.js';
import { documentAnswer, readingOf } from './reading/reading.js';

const model: Model<ProductView> = {
  projection: products,
  view: productView,
  subject: () => undefined,
  show: (view) => view,
};

const filters = { merchantId: id, q: searchText, limit, cursor: pageCursorOf(products.collection.name) };

export function productRoutes(means: Means): readonly Route[] {
  const reading = readingOf(model, means);

  async function list({ search, headers }: ApiRequest): Promise<Answer> {
    const { merchantId, q, limit: most = defaultLimit, cursor } = readQuery(search, filters);
    const query = {
      ...(merchantId !== undefined && { equal: { merchantId } }),
      ...(q !== undefined && { startsWith: { word: searchedWords(q) } }),
      limit: most,
      cursor,
    };
    return reading.page(query, 'bare', wishOf(headers));
  }

  async function one(request: ApiRequest<'/v1/products/:productId'>): Promise<Answer> {
    const { params, search, headers } = request;
    readQuery(search, {});
    const wish = wishOf(headers);
    const found = await reading.find(params.productId, wish);
    if (found === undefined) throw await notThere('product', params.productId, request, means.events);
    const rendered = await reading.render(found, 'bare');
    if (rendered === undefined) throw notShown('product', params.productId, found);
    return documentAnswer(found, rendered, wish?.headers);
  }

  return [route('GET', '/v1/products', list), route('GET', '/v1/products/:productId', one)];
}
