import { asError } from '@waybill/shared-kernel/as-error.js';
import type { Requester } from '@waybill/shared-kernel/ports/request-reply.js';
import { paymentCorrelationId, paymentService, type PaymentRequest } from './payment-request.js';

export interface AskingDependencies {
  /** Milliseconds that an answer is waited for: then it was lost, and whoever needs it asks again. */
  readonly timeout: number;
  readonly report: (fault: Error, of: string) => void;
}

/**
 * Asks the payment service and does not wait: what comes of it comes along the log, as events of the payment. Never
 * throws; that nobody answered is reported.
 */
export function askPayments(
  requestReply: Requester,
  { timeout, report }: AskingDependencies,
): (request: PaymentRequest) => void {
  const ask = async (request: PaymentRequest): Promise<void> => {
    try {
      await requestReply.request(paymentService, { ...request }, paymentCorrelationId(request), timeout);
    } catch (fault) {
      report(asError(fault), 'payments');
    }
  };
  return (request) => void ask(request);
}
