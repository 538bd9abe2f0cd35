import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { commandAnswer } from '../http/command-answer.js';
import { repeatableRequest, type RequestOn } from '../http/command-request.js';
import { readCommand } from '../http/read-command.js';
import { requireActingRole } from '../http/require-acting-role.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { CommandHandler } from '../handling/handle-command.js';
import type { Erasures } from '../customers/erasures.js';
import type { Admitted, OrderAdmission } from './admission.js';
import { CancelOrderBody, PlaceOrderBody } from './bodies.js';
import type { OrderCommand } from './order.js';
import { orderToPlace, type OrderToPlaceDependencies } from './order-to-place.js';

export interface OrderRoutesDependencies extends OrderToPlaceDependencies {
  readonly handler: CommandHandler;
  readonly aggregates: Aggregates;
  readonly erasures: Erasures;
  /** Without it every order is taken. */
  readonly admission?: OrderAdmission | undefined;
  /** Base URL of the read API, without a slash at its end. */
  readonly publicReadUrl: string;
}

/** Orders. Ordering for somebody else is 403; an order that is not theirs is 404, as one that is not there. */
export function orderRoutes(dependencies: OrderRoutesDependencies): readonly Route[] {
  const { handler, aggregates, erasures, admission, publicReadUrl } = dependencies;
  const { orders } = aggregates;

  const place = async (request: ApiRequest): Promise<Answer> => {
    const asked = repeatableRequest(request);
    const body = readCommand(PlaceOrderBody, request.body);
    let admitted: Admitted | undefined;
    try {
      const handled = await handler.create(orders, asked, {
        chosenId: body.orderId,
        authorise: () => requireActingRole(request, { customer: body.customerId }, 'order', body.orderId ?? ''),
        subject: () => body.customerId,
        command: async (id): Promise<OrderCommand> => {
          // However often it is tried, it is one order.
          admitted ??= admission?.admit(asked.caller, id);
          return { type: 'PlaceOrder', order: await orderToPlace(id, body, dependencies) };
        },
      });
      const placedAt = handled.replayed ? undefined : handled.position;
      if (placedAt !== undefined) admitted?.placed(placedAt);
      await erasures.takeBackIfErased(handled.id, body.customerId, placedAt);
      const { status } = handled.state;
      return commandAnswer(201, handled, { orderId: handled.id, status }, `${publicReadUrl}/v1/orders/${handled.id}`);
    } finally {
      admitted?.release();
    }
  };

  const cancel = async (request: RequestOn<'orderId'>): Promise<Answer> => {
    const id = request.params.orderId;
    const { reason } = readCommand(CancelOrderBody, request.body);
    const handled = await handler.handle(orders, repeatableRequest(request), {
      id,
      authorise: (state) => {
        if (state.status === 'none') throw new NotFound('order', id);
        const { customerId: customer, merchantIds: merchant } = state;
        return requireActingRole(request, { customer, merchant }, 'order', id);
      },
      partitionKey: () => id,
      subject: (state) => (state.status === 'none' ? id : state.customerId),
      command: (_state, { actor }): OrderCommand => ({ type: 'CancelOrder', orderId: id, reason, by: actor.role }),
    });
    return commandAnswer(200, handled, { orderId: id, status: handled.state.status });
  };

  return [route('POST', '/v1/orders', place), route('POST', '/v1/orders/:orderId/cancellation', cancel)];
}
