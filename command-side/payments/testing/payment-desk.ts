import type { Randomness, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import type { OnRequest } from '@waybill/shared-kernel/ports/request-reply.js';
import type { AggregateLog } from '../../handling/aggregate-streams.js';
import { paymentCorrelationId, type PaymentRequest } from '../payment-request.js';
import { startPaymentService } from '../payment-service.js';
import { GatewayOfTests } from './gateway.js';

export interface DeskDependencies {
  readonly store: AggregateLog;
  readonly clock: WallClock;
  readonly randomness: Randomness;
  readonly timer: Timer;
}

/** The payment service and a gateway, without a broker in between: what is asked is worked on when `settle` is called. */
export class PaymentDesk {
  readonly gateway = new GatewayOfTests();
  readonly #dependencies: DeskDependencies;
  readonly #asked: PaymentRequest[] = [];
  #onRequest: OnRequest | undefined;

  constructor(dependencies: DeskDependencies) {
    this.#dependencies = dependencies;
  }

  /** As the process manager asks. */
  readonly ask = (request: PaymentRequest): void => {
    this.#asked.push(request);
  };

  /** Works on everything that was asked, one after the other. Whether there was anything. */
  async settle(): Promise<boolean> {
    const onRequest = (this.#onRequest ??= await this.#begin());
    const asked = this.#asked.splice(0);
    for (const request of asked) await onRequest({ ...request }, paymentCorrelationId(request));
    return asked.length > 0;
  }

  /** The service begins anew, as after a crash: what was asked and not worked on is lost. */
  restart(): void {
    this.#asked.length = 0;
    this.#onRequest = undefined;
  }

  async #begin(): Promise<OnRequest> {
    let onRequest: OnRequest | undefined;
    const answer = async (_service: string, given: OnRequest) => {
      onRequest = given;
      return { close: () => Promise.resolve() };
    };
    const { gateway } = this;
    const report = (fault: Error): void => {
      // What became of one payment's stream is answered, and is no fault of the service.
      if (!isStreamFault(fault)) throw fault;
    };
    await startPaymentService({ ...this.#dependencies, gateway, report, requestReply: { answer } });
    if (onRequest === undefined) throw new Error('The payment service did not begin.');
    return onRequest;
  }
}
