import { asError } from '@waybill/shared-kernel/as-error.js';
import type { Answering, RequestReply } from '@waybill/shared-kernel/ports/request-reply.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { askPayments } from './ask-payments.js';
import type { PaymentRequest } from './payment-request.js';
import { startPaymentService, type PaymentServiceDependencies } from './payment-service.js';

export interface RunningPaymentDependencies extends Omit<PaymentServiceDependencies, 'requestReply' | 'gateway'> {
  readonly requestReply: RequestReply;
  readonly gateway: PaymentGateway;
}

export interface RunningPayments {
  /** As the process manager asks. */
  readonly ask: (request: PaymentRequest) => void;
  /**
   * Lets what is being worked on come to its end, if that is soon, and closes the ways to broker and gateway. That the
   * others get no answer is no fault: it is in the log what is asked for, and somebody asks again.
   */
  stop(): Promise<void>;
}

/** Milliseconds for which an answer is waited for: longer than the service waits for the gateway. */
const answerTimeoutMs = 60_000;

/** Milliseconds for which what is being worked on may hold up the end. It is asked for again when somebody is back. */
const lastOrders = 2_000;

/**
 * The payment service in this process, and the way to it and to those of others: it begins to answer as soon as the
 * broker can be reached.
 */
export function runPayments(dependencies: RunningPaymentDependencies): RunningPayments {
  const { requestReply, gateway, timer, report } = dependencies;
  let answering: Answering | undefined;
  let isStopping = false;
  startPaymentService(dependencies).then(
    (begun) => {
      answering = begun;
    },
    (fault: unknown) => report(asError(fault), 'payments'),
  );
  return {
    ask: askPayments(requestReply, {
      timeout: answerTimeoutMs,
      report: (fault, of) => {
        if (!isStopping) report(fault, of);
      },
    }),
    stop: async () => {
      isStopping = true;
      await forAWhile(answering?.close());
      await requestReply.close();
      await forAWhile(gateway.close());
    },
  };

  /** A wait that is over must not keep the process. */
  async function forAWhile(work: Promise<void> | undefined): Promise<void> {
    const over = new AbortController();
    await Promise.race([work, timer.sleep(lastOrders, over.signal)]).finally(() => over.abort());
  }
}
