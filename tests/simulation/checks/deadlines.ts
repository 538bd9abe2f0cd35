import type { EventType } from '@waybill/shared-kernel/events/catalogue.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { History } from './history.js';

/** By what each of these deadlines is kept. */
const answers: Readonly<Record<string, readonly EventType[]>> = {
  payment: ['PaymentAuthorised'],
  courier: ['OrderDispatched'],
  delivery: ['DeliveryCompleted', 'DeliveryFailed'],
  return: ['DeliveryReturned'],
};

/** No deadline was called missed that something kept in time, by when it was recorded; whoever was late, or had a wrong clock. */
export function checkDeadlines(history: History): readonly string[] {
  const amiss: string[] = [];
  for (const orderId of history.ids('order')) {
    const ofOthers = [
      ...history.of('order', orderId),
      ...history.of('payment', orderId),
      ...history.of('delivery', deliveryIdOf(orderId)),
    ];
    for (const event of history.of('fulfilment', orderId)) {
      if (event.type !== 'FulfilmentDeadlineMissed') continue;
      const { deadline, dueAt } = event.data;
      const kept = ofOthers.find(({ type, recordedAt }) => {
        return answers[deadline]?.includes(type) === true && Date.parse(recordedAt) <= Date.parse(dueAt);
      });
      // A delivery that failed and goes out once more is not over.
      if (kept === undefined || (kept.type === 'DeliveryFailed' && kept.data.next === 'retry')) continue;
      amiss.push(`order ${orderId}: ${deadline} was missed at ${dueAt}, and ${kept.type} is of ${kept.recordedAt}`);
    }
  }
  return amiss;
}
