/** What is asked and answered: anything that JSON can hold. */
export type Body = string | number | boolean | null | readonly Body[] | { readonly [field: string]: Body };

/** Answers a request. `correlationId` is the same when the asker asks again with the same one. */
export type OnRequest = (body: Body, correlationId: string) => Promise<Body> | Body;

export interface Answering {
  /** Takes no more requests; resolves when those being worked on are answered. */
  close(): Promise<void>;
}

/**
 * Asks a service and waits for its answer.
 *
 * - `request` resolves with the answer to that request, whatever the order of the answers.
 * - It rejects with `Unavailable` when nobody answers for the service, when no answer came in time, and when the one
 *   who answers failed.
 * - An answer that comes late or twice is ignored.
 */
export interface Requester {
  /** `timeout`: milliseconds. */
  request(service: string, body: Body, correlationId: string, timeout: number): Promise<Body>;
}

/** Answers for a service. One of several who do gets each request; a request may be lost, or come twice. */
export interface Responder {
  answer(service: string, onRequest: OnRequest): Promise<Answering>;
}

/**
 * Requests and their answers over a broker. A request or an answer may be lost or doubled, and a request that was not
 * answered in time may have been worked on all the same; whoever asks again gives the same correlation id, by which the
 * service knows it. What each role promises is checked by `request-reply.contract.ts`.
 */
export interface RequestReply extends Requester, Responder {
  /** Rejects what is waiting with `Unavailable`. */
  close(): Promise<void>;
}
