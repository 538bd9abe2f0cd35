import { backOffDelay } from '@waybill/shared-kernel/back-off.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { webhookSignature, webhookSignatureHeader } from '../../http/webhook-signature.js';
import type { Ledger, UndeliveredWebhook } from './ledger.js';

export interface WebhookSenderDependencies {
  readonly ledger: Pick<Ledger, 'undelivered' | 'markDelivered'>;
  readonly secret: string;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Called with a webhook that was given up, in a sentence. */
  readonly report: (fault: Error) => void;
}

/** How often one is sent until it is given up; milliseconds. */
const attempts = 6;
const backOff = { first: 500, most: 15_000 };
const answerPatience = 5_000;

/**
 * Sends the webhooks of a ledger to the address that it is given, each until it is taken, a few times at most. What
 * was not sent when a process ended is sent by the next.
 */
export class WebhookSender {
  readonly #dependencies: WebhookSenderDependencies;
  readonly #stopping = new AbortController();
  readonly #sending = new Map<number, Promise<void>>();
  #address: string | undefined;

  constructor(dependencies: WebhookSenderDependencies) {
    this.#dependencies = dependencies;
  }

  notifyAt(address: string): void {
    this.#address = address;
    this.ring();
  }

  /** There may be webhooks to send. */
  ring(): void {
    if (this.#address === undefined || this.#stopping.signal.aborted) return;
    for (const webhook of this.#dependencies.ledger.undelivered()) {
      if (this.#sending.has(webhook.sequence)) continue;
      const sending = this.#send(webhook).finally(() => {
        this.#sending.delete(webhook.sequence);
        // There may be more than were seen.
        if (this.#sending.size === 0) this.ring();
      });
      this.#sending.set(webhook.sequence, sending);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#sending.values());
  }

  async #send({ sequence, body }: UndeliveredWebhook): Promise<void> {
    const { ledger, timer, randomness, report } = this.#dependencies;
    const { signal } = this.#stopping;
    for (let failures = 0; ; failures += 1) {
      const fault = await this.#post(body);
      if (fault === undefined) break;
      if (failures + 1 === attempts) {
        report(new Error(`A webhook of the payment simulator was given up: ${fault}`));
        break;
      }
      await timer.sleep(backOffDelay(backOff, failures, randomness), signal);
      if (signal.aborted) return;
    }
    await ledger.markDelivered(sequence);
  }

  /** Why it was not taken, if it was not. */
  async #post(body: string): Promise<string | undefined> {
    const headers = {
      'Content-Type': 'application/json',
      [webhookSignatureHeader]: webhookSignature(this.#dependencies.secret, body),
    };
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(answerPatience)]);
    try {
      const response = await fetch(this.#address!, { method: 'POST', headers, body, signal });
      await response.body?.cancel();
      return response.ok ? undefined : `it was answered ${response.status}`;
    } catch {
      return 'nobody answered';
    }
  }
}
