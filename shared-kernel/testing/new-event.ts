import { randomUUID } from 'node:crypto';
import type { NewEvent } from '../message.js';

export function newEvent(id: string = randomUUID()): NewEvent {
  return {
    id,
    type: 'OrderPlaced',
    schemaVersion: 1,
    occurredAt: '2026-01-01T09:00:00.000Z',
    correlationId: id,
    causationId: id,
    partitionKey: id,
    data: { total: 1_500, currency: 'KRW' },
  };
}

export function freshStream(): string {
  return `order-${randomUUID()}`;
}
