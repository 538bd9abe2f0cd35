import type { NewEvent } from '@waybill/shared-kernel/message.js';

/** An event that any stream takes. */
export function newEvent(id: string, text = ''): NewEvent {
  return {
    id,
    type: 'OrderPlaced',
    schemaVersion: 1,
    occurredAt: '2026-01-01T00:00:00.000Z',
    correlationId: id,
    causationId: id,
    partitionKey: id,
    data: { text },
  };
}
