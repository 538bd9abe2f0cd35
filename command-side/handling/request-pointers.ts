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

/** To which new aggregate a request went, and with which payload. */
export interface Pointer extends Omit<RequestDirected, 'stream'> {
  readonly requestId: string;
  /** Of the aggregate. */
  readonly id: string;
  /** Where it stands in the log. */
  readonly position: number;
}

/**
 * Streams `request-<request id>`: for a request that makes a new aggregate, the arbiter of which one that is. The caller
 * may choose its id, and could choose another under the same key, so neither aggregate's stream can tell. The pointer is
 * appended before the aggregate's first event, to no stream only; from then on the key is bound to its target and
 * payload, whatever becomes of them. One caller may come in several roles at once, each of which has a stream: of those
 * the pointer that came first in the log counts. Before there was an arbiter, such a stream could hold several.
 */
export class RequestPointers {
  readonly #store: AggregateLog;
  readonly #randomness: Randomness;

  constructor(store: AggregateLog, randomness: Randomness) {
    this.#store = store;
    this.#randomness = randomness;
  }

  /** Those that stand, of one request the latest first. */
  async find(sought: readonly Sought[]): Promise<readonly Pointer[]> {
    return (await Promise.all(sought.map((request) => this.#of(request)))).flat();
  }

  /**
   * Rejects with `WrongExpectedRevision` where the request was directed already. `others`: the same request in other
   * roles; it rejects too where one of those was directed before, unless that is the pointer it was `bound` to.
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

/** The one that binds: of those that were appended to no stream only, the first in the log. */
export function firstOf(pointers: readonly Pointer[]): Pointer | undefined {
  const arbitrated = pointers.filter(({ subject }) => subject !== null);
  return arbitrated.toSorted((one, other) => one.position - other.position)[0];
}
