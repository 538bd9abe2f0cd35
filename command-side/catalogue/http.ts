import { NotEquals } from 'class-validator';
import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { systemSubject } from '@waybill/shared-kernel/ports/keys.js';
import { commandAnswer } from '../http/command-answer.js';
import { repeatableRequest, type RequestOn } from '../http/command-request.js';
import { MoneyBody } from '../http/money-body.js';
import { readCommand, readNothing } from '../http/read-command.js';
import { requireActingRole } from '../http/require-acting-role.js';
import { IsId, IsNested, IsText, IsWhole, Optional } from '../http/rules.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { CommandHandler } from '../handling/handle-command.js';
import type { ProductCommand } from './product.js';

const mostPieces = 1_000_000_000;

export class ListProductBody {
  @Optional()
  @IsId()
  productId?: string;

  @IsText(200)
  name!: string;

  @IsNested(() => MoneyBody, 'an amount with its currency')
  unitPrice!: MoneyBody;

  @Optional()
  @IsWhole(0, mostPieces)
  stock?: number;
}

export class ChangePriceBody {
  @IsNested(() => MoneyBody, 'an amount with its currency')
  unitPrice!: MoneyBody;
}

export class ChangeStockBody {
  /** Pieces that come (positive) or go. */
  @NotEquals(0, { message: 'It must not be 0.' })
  @IsWhole(-mostPieces, mostPieces)
  change!: number;
}

export interface ProductRoutesDependencies {
  readonly handler: CommandHandler;
  readonly aggregates: Aggregates;
  /** Base URL of the read API, without a slash at its end. */
  readonly publicReadUrl: string;
}

/** A merchant's catalogue. Everybody may know what is in it, so what is not theirs is 403. */
export function productRoutes({ handler, aggregates, publicReadUrl }: ProductRoutesDependencies): readonly Route[] {
  const { products } = aggregates;

  const list = async (request: ApiRequest): Promise<Answer> => {
    const asked = repeatableRequest(request);
    const { productId, name, unitPrice, stock } = readCommand(ListProductBody, request.body);
    const handled = await handler.create(products, asked, {
      chosenId: productId,
      authorise: () => requireActingRole(request, { merchant: request.caller.sub }, 'product', productId ?? ''),
      subject: () => systemSubject,
      createsKey: true,
      command: (id): ProductCommand => ({
        type: 'ListProduct',
        product: {
          productId: id,
          merchantId: request.caller.sub,
          name,
          unitPrice: unitPrice.amount,
          currency: unitPrice.currency,
          stock: stock ?? null,
        },
      }),
    });
    return commandAnswer(201, handled, { productId: handled.id }, `${publicReadUrl}/v1/products/${handled.id}`);
  };

  const change = async (request: RequestOn<'productId'>, command: ProductCommand): Promise<Answer> => {
    const id = request.params.productId;
    const handled = await handler.handle(products, repeatableRequest(request), {
      id,
      authorise: (state) => {
        if (state.status === 'none') throw new NotFound('product', id);
        return requireActingRole(request, { merchant: state.merchantId }, 'product', id);
      },
      partitionKey: () => id,
      subject: () => systemSubject,
      createsKey: true,
      command: () => command,
    });
    return commandAnswer(200, handled, { productId: id });
  };

  return [
    route('POST', '/v1/products', list),
    route('POST', '/v1/products/:productId/price', (request) => {
      const { unitPrice } = readCommand(ChangePriceBody, request.body);
      const { productId } = request.params;
      const { amount, currency } = unitPrice;
      return change(request, { type: 'ChangeProductPrice', productId, unitPrice: amount, currency });
    }),
    route('POST', '/v1/products/:productId/stock', (request) => {
      const { change: pieces } = readCommand(ChangeStockBody, request.body);
      return change(request, { type: 'ChangeProductStock', productId: request.params.productId, change: pieces });
    }),
    route('POST', '/v1/products/:productId/withdrawal', (request) => {
      readNothing(request.body);
      return change(request, { type: 'WithdrawProduct', productId: request.params.productId });
    }),
  ];
}
