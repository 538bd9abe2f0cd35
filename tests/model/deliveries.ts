import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { Caller, Command } from './commands.js';
import { againstRule, forbidden, notFound, type Decision, type Matter, type Refusal } from './decisions.js';
import { recorded, withNews, type Delivery, type World } from './world.js';

type OnDelivery = Extract<
  Command,
  { readonly type: 'assign' | 'release' | 'pickUp' | 'locate' | 'complete' | 'fail' | 'return' }
>;

/** What a command means for the delivery of an order. */
export function deliveryMatter(world: World, by: Caller, command: OnDelivery): Matter {
  const { orderId } = command;
  const delivery = world.deliveries.get(orderId);
  const of = { id: deliveryIdOf(orderId), idName: 'deliveryId', revision: delivery?.revision ?? -1 };
  if (delivery === undefined) return { ...of, customerId: null, refusal: notFound, decide: () => notFound };
  const customerId = world.orders.get(orderId)?.customerId ?? null;
  const refusal = isFor(by, delivery, command) ? undefined : forbidden;
  return { ...of, customerId, refusal, decide: () => decide(world, delivery, command) };
}

/** Couriers claim for themselves; what nobody has is for all of them, to report on for those who had it, if any. */
function isFor({ role, sub }: Caller, { courierId, couriers }: Delivery, command: OnDelivery): boolean {
  if (role === 'operator') return true;
  if (command.type === 'locate' && courierId === null && couriers.length > 0) return couriers.includes(sub);
  return command.type === 'assign' ? command.courierId === sub : courierId === null || courierId === sub;
}

function decide(world: World, delivery: Delivery, command: OnDelivery): Decision {
  const { orderId } = command;
  const { status, courierId, couriers, times } = delivery;
  const to = (changed: Partial<Delivery>, in_ = world): World =>
    recorded(in_, 'deliveries', orderId, { ...delivery, ...changed });
  switch (command.type) {
    case 'assign':
      if (status === 'open') {
        const { courierId: by } = command;
        return to({ status: 'assigned', courierId: by, couriers: [...couriers, by] });
      }
      return status === 'assigned' && courierId === command.courierId ? world : standsAgainst(delivery);
    case 'release':
      if (status === 'assigned') return to({ status: 'open', courierId: null });
      return status === 'open' ? world : standsAgainst(delivery);
    case 'pickUp': {
      if (courierId === null) return standsAgainst(delivery);
      if (status !== 'assigned') return world;
      const order = world.orders.get(orderId)!;
      // The order's own stream decides: it may be cancelled while its delivery does not know yet.
      if (order.status !== 'confirmed') return againstRule(`order-${order.status}`);
      return to({ status: 'picked_up' }, recorded(world, 'orders', orderId, { ...order, status: 'out_for_delivery' }));
    }
    case 'locate':
      if (times.some(([at, of]) => at === command.at && (courierId === null || of === courierId))) return world;
      if (!['assigned', 'picked_up', 'failed'].includes(status)) return standsAgainst(delivery);
      return to({ times: [...times, [command.at, courierId]] });
    case 'complete':
      if (status === 'picked_up') return withNews(to({ status: 'delivered' }), orderId, 'completed');
      return status === 'delivered' ? world : standsAgainst(delivery);
    case 'fail':
      if (status === 'failed' && command.next === 'return') return world;
      if (status !== 'picked_up') return standsAgainst(delivery);
      return command.next === 'retry' ? to({}) : withNews(to({ status: 'failed' }), orderId, 'failed');
    case 'return':
      if (status === 'failed') return withNews(to({ status: 'returned' }), orderId, 'returned');
      return status === 'returned' ? world : standsAgainst(delivery);
    default:
      return command satisfies never;
  }
}

function standsAgainst({ status }: Delivery): Refusal {
  return againstRule(`delivery-${status.replace('_', '-')}`);
}
