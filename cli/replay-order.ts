import { InvalidArgumentError, type Command } from 'commander';
import type { OrderView } from '@waybill/projections/read-models/orders.js';
import { replayOrder, type PointInOrder, type ReplayedOrder } from '@waybill/projections/replay/order.js';
import { askedAt } from '@waybill/projections/replay/point-in-time.js';
import { timelineEvent } from '@waybill/projections/read-models/timeline-event.js';
import { print, printJson, type Context } from './context.js';
import { withLog } from './stores/engines.js';
import { moneyText } from './text/money-text.js';
import { table } from './text/table.js';
import { timeOption } from './text/time.js';
import { withoutPersonalData } from './text/without-personal-data.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

type ReplayOrderOptions = PointInOrder & { readonly json?: true };

export function addReplayOrder(replay: Command, context: Context): void {
  replay
    .command('order')
    .summary('one order as it was at a time, and its events')
    .argument('<id>', 'id of the order')
    .option('--as-of <time>', 'as of what had happened by then, RFC 3339', timeOption)
    .option('--known-at <time>', 'as of what had been recorded by then, RFC 3339', timeOption)
    .option('--revision <number>', "as of the log when the order's stream was at this revision", revisionOption)
    .option('--json', 'one JSON document for programs: {order, events}')
    .description('Folds an order from the log, as it is now or was at a time. Personal data is left out.')
    .addHelpText(
      'after',
      `
Exit code 1: there is no such order, or there was none then.

Example:
  $ npx waybill replay order e481f51cbdc54678b7cc49136f2d6af7 --as-of 2017-10-05T00:00:00Z`,
    )
    .action(async (id: string, { json, ...at }: ReplayOrderOptions) => {
      const asked = askedAt(at, epochMs(context.clock));
      const replayed = await withLog(context.config(), context.clock, (store) => replayOrder(store, id, asked));
      if (json) await printJson(context, publicForm(replayed));
      else await print(context, formatOrder(replayed));
    });
}

function revisionOption(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected is a revision: 0, 1, 2 …');
  return Number(text);
}

function publicForm({ order, events }: ReplayedOrder) {
  return {
    order: withoutPersonalData(order),
    events: events.map((event) => withoutPersonalData(timelineEvent(event, event.data))),
  };
}

function formatOrder({ order, events }: ReplayedOrder): string {
  const rows = events.map((event) => [String(event.position), event.occurredAt, event.type, event.stream]);
  return `Order ${order.orderId}\n${table(facts(order))}${formatLines(order)}\nEvents\n${table([['position', 'happened', 'what', 'stream'], ...rows])}`;
}

function facts(order: OrderView): readonly (readonly [string, string])[] {
  const { rejection, cancellation, delivery } = order;
  const facts: (readonly [string, string | undefined])[] = [
    ['status', order.status],
    ['customer', order.customerId],
    ['placed', order.placedAt],
    ['promised by', order.promisedBy],
    ['confirmed', order.confirmedAt],
    ['rejected', rejection && `${rejection.at}${estimated(rejection)}, ${rejection.reason}`],
    ['cancelled', cancellation && `${cancellation.at}${estimated(cancellation)}, ${cancellation.reason}`],
    ['payment', order.payment.status],
    ['delivery', delivery && `${delivery.status} (${delivery.deliveryId})`],
    ['picked up', delivery?.pickedUpAt],
    ['delivered', delivery?.deliveredAt],
    ['total', order.total === null ? 'unknown' : moneyText(order.total)],
    ['revision', String(order.revision)],
    ['imported', order.imported && 'yes'],
  ];
  return facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined);
}

function estimated({ timeEstimated }: { readonly timeEstimated?: true }): string {
  return timeEstimated ? ' (estimated)' : '';
}

function formatLines({ lines }: OrderView): string {
  if (lines.length === 0) return '';
  const rows = lines.map(({ quantity, name, productId, unitPrice }) => [
    `${quantity} ×`,
    name === null ? productId : `${name} (${productId})`,
    moneyText(unitPrice),
  ]);
  return `\nLines\n${table(rows)}`;
}
