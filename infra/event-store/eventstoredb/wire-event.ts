import { jsonEvent, type EventData, type Position } from '@eventstore/db-client';
import type { EventData as Data, NewEvent, RecordedEvent } from '@waybill/shared-kernel/message.js';
import { positionOf } from './position.js';

/**
 * The metadata of an event in EventStoreDB: everything of our envelope that the server has no field of its own for.
 * Correlation and causation go by the names that its own tools look for.
 */
type Envelope = Omit<NewEvent, 'id' | 'type' | 'data' | 'correlationId' | 'causationId'> & {
  readonly $correlationId: string;
  readonly $causationId: string;
  /** Of an event that was moved here from another log: when that one took it. */
  readonly recordedAt?: string;
};

/** What the client hands out for a record, as far as it is looked at here. */
export interface Recorded {
  readonly streamId: string;
  readonly id: string;
  readonly type: string;
  readonly revision: bigint;
  readonly created: Date;
  readonly data: unknown;
  readonly metadata: unknown;
  readonly position?: Position | undefined;
}

/** Lower case, as the server gives ids back, and not the empty one, which it refuses. */
const uuid = /^(?!0{8}-0{4})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Throws `RangeError` for an id that is no UUID. It must not reach the client: there it ends in `UnknownError` and, ten
 * seconds later, in a TypeError that nobody can catch.
 */
export function wireEventOf(event: NewEvent): EventData {
  const { id, type, data, correlationId: $correlationId, causationId: $causationId, ...rest } = event;
  if (!uuid.test(id)) throw new RangeError(`not a UUID in lower case: ${id}`);
  const metadata: Envelope = { $correlationId, $causationId, ...rest };
  return jsonEvent({ id, type, data, metadata });
}

/** An event of another log, which keeps the time at which that one took it. Throws as `wireEventOf` does. */
export function movedWireEventOf(recorded: RecordedEvent): EventData {
  const { stream, revision, position, recordedAt, ...event } = recorded;
  const wireEvent = wireEventOf(event);
  return { ...wireEvent, metadata: { ...(wireEvent.metadata as Envelope), recordedAt } };
}

/**
 * `undefined` for what cannot be read as an event of our log: the server's own events and links (`$…`, also in streams of
 * that name), those of other programs that share the server, which have not our envelope, and what was damaged.
 *
 * `recordedAt` is the time of the one node that leads as it takes the event, or the one that the event was moved here
 * with. It never goes backwards as long as that node's clock is only ever slewed and those of a cluster agree. It is not
 * mended here: a time that depended on where the reading began would differ from reader to reader.
 */
export function recordedEventOf(recorded: Recorded): RecordedEvent | undefined {
  const { streamId, id, type, metadata, data } = recorded;
  if (streamId.startsWith('$') || type.startsWith('$') || !isEnvelope(metadata) || !isBody(data)) return undefined;
  // Field by field, as this runs for every event of every scan and `...rest` takes ten times as long.
  const event: { -readonly [Field in keyof RecordedEvent]: RecordedEvent[Field] } = {
    id,
    type,
    schemaVersion: metadata.schemaVersion,
    occurredAt: metadata.occurredAt,
    correlationId: metadata.$correlationId,
    causationId: metadata.$causationId,
    partitionKey: metadata.partitionKey,
    data,
    stream: streamId,
    revision: Number(recorded.revision),
    position: positionOf(recorded.position),
    recordedAt: metadata.recordedAt ?? recorded.created.toISOString(),
  };
  if (metadata.actor !== undefined) event.actor = metadata.actor;
  if (metadata.traceparent !== undefined) event.traceparent = metadata.traceparent;
  if (metadata.request !== undefined) event.request = metadata.request;
  if (metadata.imported !== undefined) event.imported = metadata.imported;
  return event;
}

/** What is wrong with a record of a stream of ours that cannot be read as an event, in words that go into a sentence. */
export function faultIn({ metadata, data }: Recorded): string {
  if (!isObject(metadata)) return 'its metadata are not our envelope';
  if (typeof metadata['partitionKey'] !== 'string') return 'it has no partition key';
  return isBody(data) ? 'its metadata are not our envelope' : 'its stored body is not JSON';
}

/** Whether a record was written by us, be it readable or not: its metadata are our envelope, or what is left of it. */
export function isOurs({ metadata }: Recorded): boolean {
  return isEnvelope(metadata) || (isObject(metadata) && 'schemaVersion' in metadata && 'occurredAt' in metadata);
}

function isEnvelope(metadata: unknown): metadata is Envelope {
  return isObject(metadata) && 'schemaVersion' in metadata && typeof metadata['partitionKey'] === 'string';
}

/** Data that are said to be JSON and are not come as bytes, as text, or as what JSON makes of a `Buffer`. */
function isBody(data: unknown): data is Data {
  return isObject(data) && !(data['type'] === 'Buffer' && Array.isArray(data['data']));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
