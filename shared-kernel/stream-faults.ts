import { StreamCut, StreamUnreadable, Unavailable } from './errors.js';
import type { DeliveryOwners } from './partitions/delivery-owners.js';
import type { RecordedEvent } from './message.js';
import type { Addressed } from './projection.js';
import { readAsFar } from './read-stream.js';
import type { StreamMark, StreamCuts, StreamReader, StreamEvents } from './ports/event-store.js';
import type { Degraded, DegradedBy } from './ports/read-store.js';
import { parseStream } from './stream.js';
import { describeError } from './describe-error.js';

/** A fault of one stream, and so of one key: not every event of it can be read. */
export type StreamFault = StreamCut | StreamUnreadable;

export function isStreamFault(error: unknown): error is StreamFault {
  return error instanceof StreamCut || error instanceof StreamUnreadable;
}

/** The reason of quarantine for a document of that stream. */
export function degradedByFault(fault: StreamFault): DegradedBy {
  const { stream } = fault;
  if (fault instanceof StreamCut) return { cut: { stream, firstRevision: fault.firstRevision ?? null } };
  return { event: { id: '', stream, revision: fault.revision, position: fault.position, type: '' } };
}

/** The mark of a document that is quarantined from `now` on (RFC 3339), without waiting events. */
export function markedFor(fault: StreamFault, now: string): Degraded {
  return { since: now, triedAt: now, error: describeError(fault), ...degradedByFault(fault), seen: {} };
}

/** Whether a document is quarantined because of a stream, rather than an event that cannot be applied. */
export function isByFault({ event }: DegradedBy): boolean {
  return event === undefined || event.type === '';
}

/** A stream that cannot be read whole, and the key it belongs to. */
export interface StreamInDoubt extends Addressed {
  readonly fault: StreamFault;
}

/**
 * What is missing of the streams that marks of the log are about, as the log is now: of one that nothing was taken from,
 * or that was given all back, nothing is.
 */
export async function faultsOf(store: StreamCuts, marks: readonly StreamMark[]): Promise<readonly StreamFault[]> {
  // Of what the metadata say the last counts; an event that cannot be read stays so, whatever they say.
  const latest = new Map(marks.map((mark) => [`${mark.why === 'unreadable'} ${mark.stream}`, mark]));
  const faults: StreamFault[] = [];
  for (const mark of latest.values()) {
    const fault = await faultOf(store, mark);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

/** The streams that marks of the log are about and of which something is missing, where anything still says whose they are. */
export async function streamsInDoubt(
  store: StreamReader,
  marks: readonly StreamMark[],
  owners: Pick<DeliveryOwners, 'of'>,
): Promise<readonly StreamInDoubt[]> {
  const faults = await faultsOf(store, marks);
  const keys = new Map<string, string | undefined>();
  for (const fault of faults) keys.set(fault.stream, await keyOf(store, fault));
  const unknown = [...keys].flatMap(([stream, key]) => (key === undefined ? [stream] : []));
  const found = unknown.length === 0 ? undefined : await owners.of(unknown);
  return faults.flatMap((fault) => {
    const { stream } = fault;
    const partitionKey = keys.get(stream) ?? found?.get(stream);
    return partitionKey === undefined ? [] : [{ stream, partitionKey, fault }];
  });
}

/** What a mark says is missing of its stream, as the log is now; `undefined`: nothing is. */
export async function faultOf(
  store: StreamCuts,
  { stream, why, revision = 0, position, detail }: StreamMark,
): Promise<StreamFault | undefined> {
  if (why === 'unreadable') return new StreamUnreadable(stream, revision, position, detail);
  return cutFault(store, stream);
}

async function cutFault(store: StreamCuts, stream: string): Promise<StreamCut | undefined> {
  const cut = await store.cutOf(stream);
  return cut && new StreamCut(stream, cut.firstRevision);
}

/** Of a delivery's stream only its events tell whose it is; all others are named after their key. */
async function keyOf(store: StreamEvents, fault: StreamFault): Promise<string | undefined> {
  const { stream } = fault;
  const { category, id } = parseStream(stream);
  if (category !== 'delivery') return id;
  const from = fault instanceof StreamCut ? fault.firstRevision : 0;
  return from === undefined ? undefined : (await readEvent(store, stream, from))?.partitionKey;
}

/** The event at a revision of a stream, if it can be read. */
export async function readEvent(
  store: StreamEvents,
  stream: string,
  revision: number,
): Promise<RecordedEvent | undefined> {
  try {
    const [event] = await store.readStream(stream, revision, 1);
    return event;
  } catch (error) {
    if (isStreamFault(error)) return undefined;
    throw error;
  }
}

/** A stream from a revision on, as far as it can be read, and why no further. */
export async function whatCanBeRead(
  store: StreamEvents,
  stream: string,
  from = 0,
): Promise<{ readonly events: readonly RecordedEvent[]; readonly fault?: StreamFault }> {
  const events: RecordedEvent[] = [];
  try {
    for await (const event of readAsFar(store, stream, from)) events.push(event);
    return { events };
  } catch (error) {
    if (!isStreamFault(error)) throw error;
    return { events, fault: error };
  }
}

/**
 * Why a stream does not show a revision that is known: `StreamCut` where events of it are gone, else `Unavailable`, for it
 * will show it.
 */
export async function whyNotShown(
  store: StreamCuts,
  stream: string,
  revision: number,
): Promise<StreamCut | Unavailable> {
  const notYet = new Unavailable('event store', `The log does not show revision ${revision} of ${stream} yet.`);
  return (await cutFault(store, stream)) ?? notYet;
}

/** Throws `StreamCut` where events of a stream are gone. */
export async function requireWhole(store: StreamCuts, stream: string): Promise<void> {
  const fault = await cutFault(store, stream);
  if (fault !== undefined) throw fault;
}

/** What keeps a stream from being read to its end. */
export async function faultOfStream(store: StreamReader, stream: string): Promise<StreamFault | undefined> {
  const { events, fault } = await whatCanBeRead(store, stream);
  return fault !== undefined || events.length > 0 ? fault : cutFault(store, stream);
}
