import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { Message } from '@waybill/shared-kernel/ports/broker.js';
import type { CategoryHeads } from '@waybill/shared-kernel/category-heads.js';
import type { ConsumeMessage, Options } from 'amqplib';
import { routingKeyOf } from './names.js';

/** A message as it goes over the wire. */
export interface Letter {
  readonly routingKey: string;
  readonly body: Buffer;
  readonly options: Options.Publish;
}

/**
 * The event is the body, as JSON; whose it is and its links in the chains go in the headers, and its trace context where
 * tools look for it, as W3C's draft for AMQP has it.
 */
export function encode({ event, partition, log, previous }: Message): Letter {
  return {
    routingKey: routingKeyOf(partition, event),
    body: Buffer.from(JSON.stringify(event)),
    options: {
      persistent: true,
      contentType: 'application/json',
      messageId: event.id,
      type: event.type,
      headers: { partition, log, previous, ...(event.traceparent !== undefined && { traceparent: event.traceparent }) },
    },
  };
}

/** A delivery that is no message of ours; the text says why. */
export class Undecodable extends Error {}

const texts = [
  'id',
  'type',
  'occurredAt',
  'correlationId',
  'causationId',
  'partitionKey',
  'stream',
  'recordedAt',
] as const satisfies readonly (keyof RecordedEvent)[];
const numbers = ['schemaVersion', 'revision', 'position'] as const satisfies readonly (keyof RecordedEvent)[];

/** Throws `Undecodable` for whatever `encode` would not have made for this partition. */
export function decode({ content, properties }: Pick<ConsumeMessage, 'content' | 'properties'>, of: number): Message {
  const { previous, partition, log } = (properties.headers ?? {}) as Readonly<Record<string, unknown>>;
  if (!isHeads(previous)) throw new Undecodable('The header "previous" is not whole numbers by category.');
  if (typeof log !== 'string') throw new Undecodable('The header "log" is not text.');
  if (partition !== of) throw new Undecodable(`The header "partition" is not ${of}.`);
  let event: unknown;
  try {
    event = JSON.parse(content.toString());
  } catch {
    throw new Undecodable('The body is not JSON.');
  }
  assertEvent(event);
  return { event, partition: of, log, previous };
}

function assertEvent(value: unknown): asserts value is RecordedEvent {
  if (!isObject(value)) throw new Undecodable('The body is not an object.');
  for (const field of texts) {
    if (typeof value[field] !== 'string') throw new Undecodable(`The field "${field}" is not text.`);
  }
  for (const field of numbers) {
    if (!isWhole(value[field])) throw new Undecodable(`The field "${field}" is not a whole number.`);
  }
  if (!isObject(value['data'])) throw new Undecodable('The field "data" is not an object.');
}

function isHeads(value: unknown): value is CategoryHeads {
  return isObject(value) && Object.values(value).every(isWhole);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
