import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventBatch, PreviousEvents } from '@waybill/shared-kernel/ports/broker.js';
import type { ConsumeMessage, Options } from 'amqplib';
import { routingKeyOf } from './names.js';

/** A batch as it goes over the wire. */
export interface Letter {
  readonly routingKey: string;
  readonly body: Buffer;
  readonly options: Options.Publish;
}

/** The body is the batch as JSON. */
export function encode(batch: EventBatch): Letter {
  return {
    routingKey: routingKeyOf(batch.partition, batch.events),
    body: Buffer.from(JSON.stringify(batch)),
    options: { persistent: true, contentType: 'application/json', type: 'event-batch' },
  };
}

/** A delivery that is no batch of ours; the text says why. */
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
export function decode({ content }: Pick<ConsumeMessage, 'content'>, of: number): EventBatch {
  let body: unknown;
  try {
    body = JSON.parse(content.toString());
  } catch {
    throw new Undecodable('The body is not JSON.');
  }
  if (!isObject(body)) throw new Undecodable('The body is not an object.');
  const { log, partition, previous, events, through } = body;
  if (typeof log !== 'string') throw new Undecodable('"log" is not text.');
  if (partition !== of) throw new Undecodable(`"partition" is not ${of}.`);
  if (!isPrevious(previous)) throw new Undecodable('"previous" is not whole numbers by category.');
  if (!isWhole(through)) throw new Undecodable('"through" is not a whole number.');
  if (!Array.isArray(events)) throw new Undecodable('"events" is not a list.');
  assertEvents(events);
  return { log, partition, previous, events, through };
}

function assertEvents(values: unknown[]): asserts values is RecordedEvent[] {
  for (const value of values) {
    if (!isObject(value)) throw new Undecodable('An event is not an object.');
    for (const field of texts) {
      if (typeof value[field] !== 'string') throw new Undecodable(`The field "${field}" of an event is not text.`);
    }
    for (const field of numbers) {
      if (!isWhole(value[field])) throw new Undecodable(`The field "${field}" of an event is not a whole number.`);
    }
    if (!isObject(value['data'])) throw new Undecodable('The field "data" of an event is not an object.');
  }
}

function isPrevious(value: unknown): value is PreviousEvents {
  if (!isObject(value) || !isWhole(value['since'])) return false;
  return isObject(value['positions']) && Object.values(value['positions']).every(isWhole);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
