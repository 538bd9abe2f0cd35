import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import { notBegun, sectionOf, standingAfter, worklistProjection, type WorklistSection } from './worklist.js';

const orderId = 'o1';
const of = { orderId };
const at = '2026-01-02T10:00:00.000Z';
const again = '2026-01-03T10:00:00.000Z';
const items = [{ productId: 'p1', quantity: 3 }];
const ask = { ...of, attempt: 1, retryAt: at };

const events: readonly (FulfilmentEvent | SuspensionEvent)[] = [
  { type: 'FulfilmentStarted', data: { ...of, customerId: 'c1', items, amount: 15, currency: 'KRW' } },
  { type: 'FulfilmentStockReserved', data: { ...of, items } },
  { type: 'FulfilmentStockRefused', data: { ...of, productId: 'p1' } },
  { type: 'FulfilmentStockReleased', data: of },
  { type: 'FulfilmentPaymentRequested', data: { ...ask, step: 'authorise', until: again } },
  { type: 'FulfilmentPaymentRequested', data: { ...ask, step: 'capture', until: null } },
  { type: 'FulfilmentPaymentRequested', data: { ...ask, step: 'release', until: null } },
  { type: 'FulfilmentPaymentSettled', data: { ...of, status: 'authorised' } },
  { type: 'FulfilmentPaymentSettled', data: { ...of, status: 'declined' } },
  { type: 'FulfilmentPaymentSettled', data: { ...of, status: 'captured' } },
  { type: 'FulfilmentDeliveryRequested', data: { ...of, deliveryId: 'd1', dueAt: at } },
  { type: 'FulfilmentDispatched', data: { ...of, dueAt: at } },
  { type: 'FulfilmentDeadlineMissed', data: { ...of, deadline: 'courier', dueAt: at, again } },
  { type: 'FulfilmentDeadlineMissed', data: { ...of, deadline: 'payment', dueAt: at, again: null } },
  { type: 'FulfilmentCancelled', data: of },
  { type: 'FulfilmentFailed', data: { ...of, dueAt: at } },
  { type: 'FulfilmentCompleted', data: { ...of, outcome: 'delivered' } },
  { type: 'FulfilmentRetryRequested', data: { ...of, reason: 'now' } },
  { type: 'FulfilmentCompensationRequested', data: { ...of, reason: 'no' } },
  { type: 'FulfilmentResumed', data: { ...of, reason: null } },
];

test('the worklist is the same folded from what a store gives back as from what a process manager remembers', () => {
  const envelope = { id: 'e', schemaVersion: 1, correlationId: 'c', causationId: 'c', partitionKey: orderId };
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...events), { maxLength: 20 }), (history) => {
      let standing = notBegun;
      let section: unknown;
      for (const [revision, event] of [events[0]!, ...history].entries()) {
        const occurredAt = new Date(1_000 * revision).toISOString();
        const recorded = { stream: `fulfilment-${orderId}`, revision, position: revision, recordedAt: occurredAt };
        const known = { ...envelope, ...recorded, ...event, occurredAt };
        standing = standingAfter(standing, known);
        section = worklistProjection.fold(section, known);
        section = JSON.parse(JSON.stringify(section)) as WorklistSection;
        expect(section).toEqual(JSON.parse(JSON.stringify(sectionOf(standing))));
        expect(worklistProjection.fields({ fulfilment: section })).toEqual(
          worklistProjection.fields({ fulfilment: sectionOf(standing) }),
        );
      }
    }),
  );
});
