import { WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { RequestDirected } from '@waybill/shared-kernel/events/request.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import type { RequestMark } from '@waybill/shared-kernel/message.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { parseStream, streamName } from '@waybill/shared-kernel/stream.js';
import type { AggregateLog } from './aggregate-streams.js';
import { appendSurely } from './append-surely.js';
import { envelopes, type Cause } from './envelope.js';

/** A request as it may have been recorded: under this id, in one of these roles. */
export interface Sought {
  readonly id: string;
  readonly roles: readonly string[];
}

/** The new aggregate that a request made, and the hash of its payload. */
export interface Pointer extends Omit<RequestDirected, 'stream'> {
  readonly requestId: string;
  /** Of the aggregate. */
  readonly id: string;
  /** Its position in the log. */
  readonly position: number;
}

/**
 * The streams `request-<request id>`. Each decides which new aggregate its request makes. The aggregate's own stream
 * cannot decide that: its caller may choose the id, and may choose another id under the same key. So the pointer is
 * appended first, and only if the request's stream does not exist. From then on the key is bound to that id and
 * payload, whether the aggregate is made or not. A caller may send the request in several roles at once, and each role
 * has a stream: the pointer that comes first in the log counts. Streams of older releases may hold several pointers.
 */
export class RequestPointers {
  readonly #store: AggregateLog;
  readonly #randomness: Randomness;

  constructor(store: AggregateLog, randomness: Randomness) {
    this.#store = store;
    this.#randomness = randomness;
  }

  /** The pointers in the log; of one request the latest first. */
  async find(sought: readonly Sought[]): Promise<readonly Pointer[]> {
    return (await Promise.all(sought.map((request) => this.#of(request)))).flat();
  }

  /**
   * Appends the pointer. Rejects with `WrongExpectedRevision` if the request has a pointer already. `others`: the ids
   * of the same request in other roles; it also rejects if one of those has an earlier pointer, unless that is `bound`.
   */
  async direct(
    mark: RequestMark,
    stream: string,
    cause: Cause,
    { others, bound }: { readonly others: readonly Sought[]; readonly bound: Pointer | undefined },
  ): Promise<void> {
    const { hash, subject } = mark;
    const event = { type: 'RequestDirected', data: { stream, hash, subject } };
    const events = envelopes([event], parseStream(stream).id, { ...cause, request: undefined }, this.#randomness);
    const { position } = await appendSurely(this.#store, streamName('request', mark.id), noStream, events);
    const first = firstOf(await this.find(others));
    if (first === undefined || first.position > position || first.requestId === bound?.requestId) return;
    throw new WrongExpectedRevision(streamName('request', first.requestId), noStream, 0);
  }

  async #of({ id: requestId, roles }: Sought): Promise<readonly Pointer[]> {
    const pointers: Pointer[] = [];
    for await (const recorded of readWholeStream(this.#store, streamName('request', requestId))) {
      const event = upcast(recorded);
      if (event.type !== 'RequestDirected' || !roles.includes(event.actor?.role ?? '')) continue;
      const { stream, hash, subject } = event.data;
      pointers.unshift({ requestId, id: parseStream(stream).id, hash, subject, position: event.position });
    }
    return pointers;
  }
}

/** The pointer that counts: the first in the log among those appended to a stream that did not exist. */
export function firstOf(pointers: readonly Pointer[]): Pointer | undefined {
  const arbitrated = pointers.filter(({ subject }) => subject !== null);
  return arbitrated.toSorted((one, other) => one.position - other.position)[0];
}
