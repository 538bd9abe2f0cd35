import { asError } from '@waybill/shared-kernel/as-error.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Answering, Body, OnRequest, RequestReply } from '@waybill/shared-kernel/ports/request-reply.js';

/** Request and reply within this process. */
export function openMemoryRequestReply(): RequestReply {
  return new MemoryRequestReply();
}

/** Somebody who answers for a service. */
class Answerer implements Answering {
  readonly #working = new Set<Promise<Body>>();

  constructor(
    private readonly onRequest: OnRequest,
    private readonly leave: (answerer: Answerer) => void,
  ) {}

  async take(body: Body, correlationId: string): Promise<Body> {
    // In a turn of its own, as if it came from elsewhere.
    const answer = Promise.resolve().then(() => this.onRequest(body, correlationId));
    this.#working.add(answer);
    try {
      return copy(await answer);
    } catch (reason) {
      throw new Unavailable('service', asError(reason).message, { cause: reason });
    } finally {
      this.#working.delete(answer);
    }
  }

  async close(): Promise<void> {
    this.leave(this);
    await Promise.allSettled(this.#working);
  }
}

class MemoryRequestReply implements RequestReply {
  readonly #services = new Map<string, Answerer[]>();
  /** Rejects for each caller that waits for an answer, when none will come. */
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  async request(service: string, body: Body, correlationId: string, timeout: number): Promise<Body> {
    if (this.#isClosed) throw new Unavailable('broker', 'The broker is closed.');
    const answerers = this.#services.get(service) ?? [];
    const next = answerers.shift();
    if (next === undefined) throw new Unavailable('service', `Nobody answers for ${service}.`);
    answerers.push(next);
    return this.#within(timeout, service, next.take(copy(body), correlationId));
  }

  async answer(service: string, onRequest: OnRequest): Promise<Answering> {
    const answerers = this.#services.get(service) ?? [];
    this.#services.set(service, answerers);
    const answerer = new Answerer(onRequest, (one) => {
      const index = answerers.indexOf(one);
      if (index !== -1) answerers.splice(index, 1);
    });
    answerers.push(answerer);
    return answerer;
  }

  async close(): Promise<void> {
    this.#services.clear();
    this.#isClosed = true;
    for (const giveUp of [...this.#waiting]) giveUp();
  }

  #within(timeout: number, service: string, answer: Promise<Body>): Promise<Body> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(giveUp);
      };
      const giveUp = (): void => {
        settle();
        reject(new Unavailable('broker', 'The broker is closed.'));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Unavailable('service', `${service} did not answer within ${timeout} ms.`));
      }, timeout);
      this.#waiting.add(giveUp);
      answer.finally(settle).then(resolve, reject);
    });
  }
}

/** As if it had been sent: what comes out shares nothing with what went in. */
function copy(body: Body): Body {
  return JSON.parse(JSON.stringify(body)) as Body;
}
