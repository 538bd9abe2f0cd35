import { type Unavailable, WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { Appended } from '@waybill/shared-kernel/ports/event-store.js';
import { closedStore, type Append } from '../append.js';
import type { Answer } from './group-commit.js';

interface Pending {
  readonly append: Append;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** More than this goes in several batches, so that a thread with much to append does not hold up a request for long. */
const largestBatch = 100;

/**
 * Collects the appends of one thread. One batch of them is on its way at a time; the next collects meanwhile, so the
 * busier it is, the larger the batches. `send` takes a batch to where the log is written; `settle` takes the answer.
 */
export class AppendBatcher {
  readonly #send: (appends: readonly Append[]) => void;
  #collected: Pending[] = [];
  #sent: readonly Pending[] = [];
  #scheduled = false;
  #fault: Unavailable | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(send: (appends: readonly Append[]) => void) {
    this.#send = send;
  }

  append(append: Append): Promise<Appended> {
    return new Promise((resolve, reject) => {
      if (this.#fault !== undefined) {
        reject(this.#fault);
        return;
      }
      this.#collected.push({ append, resolve, reject });
      this.#schedule();
    });
  }

  settle(answer: Answer): void {
    const sent = this.#sent;
    this.#sent = [];
    if ('fault' in answer) rejectAll(sent, answer.fault);
    else {
      for (const [index, { append, resolve, reject }] of sent.entries()) {
        const outcome = answer.outcomes[index];
        if (outcome === undefined) reject(new Error('the log writer left an append unanswered'));
        else if ('actual' in outcome) reject(new WrongExpectedRevision(append.stream, append.expected, outcome.actual));
        else resolve(outcome);
      }
    }
    if (this.#collected.length > 0) this.#schedule();
    else for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Rejects what waits and all that comes: there is no way to the log any more. */
  fail(fault: Unavailable): void {
    this.#fault ??= fault;
    rejectAll(this.#sent, fault);
    rejectAll(this.#collected, fault);
    this.#sent = [];
    this.#collected = [];
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Takes no more; resolves when everything taken before is settled. */
  async close(): Promise<void> {
    this.#fault ??= closedStore();
    if (this.#sent.length === 0 && this.#collected.length === 0) return;
    await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#sent.length > 0) return;
    this.#scheduled = true;
    // What else arrives in this turn of the event loop comes along.
    setImmediate(() => {
      this.#scheduled = false;
      this.#sent = this.#collected.splice(0, largestBatch);
      if (this.#sent.length === 0) return;
      this.#send(this.#sent.map(({ append }) => append));
    });
  }
}

function rejectAll(pending: readonly Pending[], fault: unknown): void {
  for (const { reject } of pending) reject(fault);
}
