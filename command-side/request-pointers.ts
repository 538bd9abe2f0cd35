import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import { noStream, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { parseStream, streamName } from '@waybill/shared-kernel/stream.js';
import { envelopes, type Cause } from './envelope.js';

/** Where a request went whose caller chose the id of the new aggregate. */
export interface Pointed {
  readonly stream: string;
  readonly revision: number;
  /** Ids of aggregates, those pointed at last first. One that holds nothing of the request counts for nothing. */
  readonly ids: readonly string[];
}

/**
 * Streams `request-<request id>`. A repeated request finds its first answer in the aggregate's stream, but when the
 * caller chose the aggregate's id, and could choose another under the same key, only this says which stream that is.
 */
export class RequestPointers {
  readonly #store: Pick<EventStore, 'append' | 'readStream'>;

  constructor(store: Pick<EventStore, 'append' | 'readStream'>) {
    this.#store = store;
  }

  async load(requestId: string): Promise<Pointed> {
    const stream = streamName('request', requestId);
    const ids: string[] = [];
    let revision = noStream;
    for await (const recorded of readWholeStream(this.#store, stream)) {
      const event = upcast(recorded);
      if (event.type === 'RequestDirected') ids.unshift(parseStream(event.data.stream).id);
      revision = event.revision;
    }
    return { stream, revision, ids };
  }

  /** Points at a stream before the request is recorded there. Rejects with `WrongExpectedRevision` as any append. */
  async direct(pointed: Pointed, stream: string, cause: Cause): Promise<void> {
    const { id } = parseStream(stream);
    if (pointed.ids.includes(id)) return;
    const event = { type: 'RequestDirected', data: { stream } };
    const directed = envelopes([event], id, { ...cause, request: undefined }, pointed.revision + 1);
    await this.#store.append(pointed.stream, pointed.revision, directed);
  }
}
