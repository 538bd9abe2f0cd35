import { shown, type Config } from '@waybill/infra/process/config.js';
import { down, good, skipped, unanswered, type Check } from './check.js';

const answerWithinMs = 2_000;
const name = 'payment gateway';

/** Whether a gateway of one's own is there. No request is made of it, and it is sent no password. */
export async function checkPaymentGateway({ paymentUrl }: Pick<Config, 'paymentUrl'>): Promise<readonly Check[]> {
  if (paymentUrl === undefined) return [skipped(name, 'the built-in simulator, which takes no money')];
  const where = shown(paymentUrl);
  try {
    const answer = await fetch(new URL(paymentUrl).origin, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(answerWithinMs),
    });
    if (answer.status < 500) return [good(name, `${where} answers`)];
    return [down(name, `${where} says ${answer.status}.`, 'Orders wait with their payment pending until it is well.')];
  } catch (error) {
    return [unanswered(name, where, error, 'WAYBILL_PAYMENT_URL')];
  }
}
