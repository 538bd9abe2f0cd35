import { isByRule, type RecordedEvent } from '@waybill/shared-kernel/message.js';
import { beginning, largestPage, type LogPages } from '@waybill/shared-kernel/ports/event-store.js';

/**
 * Whether the log may know requests by the ids that they had before ids told roles apart. The first request that it holds
 * tells: since then whatever makes something new is preceded by a pointer of version 2. It is looked for from the log's
 * beginning, a page each time it is asked until it is found; the answer is kept for the life of the process.
 */
export class FormerRequests {
  readonly #store: LogPages;
  #through = beginning;
  #mayBeThere: boolean | undefined;
  #readOn: Promise<boolean> | undefined;

  constructor(store: LogPages) {
    this.#store = store;
  }

  mayBeThere(): Promise<boolean> {
    if (this.#mayBeThere !== undefined) return Promise.resolve(this.#mayBeThere);
    this.#readOn ??= this.#readPage().finally(() => (this.#readOn = undefined));
    return this.#readOn;
  }

  async #readPage(): Promise<boolean> {
    const { events, through, isEnd } = await this.#store.readAll(this.#through, largestPage);
    this.#through = through;
    const first = events.find(isOfRequest);
    if (first !== undefined) this.#mayBeThere = !isPointerOfNow(first);
    return this.#mayBeThere ?? !isEnd;
  }
}

function isOfRequest({ type, request }: RecordedEvent): boolean {
  return type === 'RequestDirected' || (request !== undefined && !isByRule(request));
}

function isPointerOfNow({ type, schemaVersion }: RecordedEvent): boolean {
  return type === 'RequestDirected' && schemaVersion >= 2;
}
