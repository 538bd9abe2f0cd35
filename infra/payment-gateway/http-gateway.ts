import {
  BrokenCircuitError,
  BulkheadRejectedError,
  CircuitState,
  SamplingBreaker,
  TaskCancelledError,
  TimeoutStrategy,
  bulkhead,
  circuitBreaker,
  handleType,
  retry,
  timeout,
  wrap,
  type IBackoffFactory,
  type IRetryBackoffContext,
} from 'cockatiel';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayPayment, PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { attemptsAt, PassingFault, type Exchange, type GatewayStep } from './http-exchange.js';

export type BreakerState = 'closed' | 'half-open' | 'open';

/**
 * What came of a call: how the payment stands; `refused`: asking again will not help; `unavailable`: no answer;
 * `not-asked`: the breaker was open; `crowded`: too many were waiting.
 */
export type CallOutcome = GatewayPayment['status'] | 'refused' | 'unavailable' | 'not-asked' | 'crowded';

/** Who is told of what happens between us and the gateway. */
export interface WatchGateway {
  /** `seconds`: with all attempts and the waits between them. */
  called(step: GatewayStep, outcome: CallOutcome, seconds: number): void;
  breaker(state: BreakerState): void;
}

/** How patient one is with the gateway; times in milliseconds. */
export interface GatewayTuning {
  /** How long one attempt may take. */
  readonly timeout: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Between attempts, with full jitter; who is asked to wait for longer asks no more. */
  readonly backOff: BackOff;
  /** The breaker opens when more than this share of the attempts of a while fail … */
  readonly breakAbove: number;
  readonly breakOver: number;
  /** … if there were as many attempts as this, a second. */
  readonly breakFrom: number;
  /** How long it stays open before one is let through. */
  readonly breakFor: number;
  /** Calls at once, and those that may wait for one of them to end. */
  readonly concurrent: number;
  readonly waiting: number;
}

const usual: GatewayTuning = {
  timeout: 5_000,
  retries: 2,
  backOff: { first: 200, most: 2_000 },
  // Twenty attempts in half a minute, more than half of them failed: one payment that hangs is three to six of them.
  breakAbove: 0.5,
  breakOver: 30_000,
  breakFrom: 2 / 3,
  breakFor: 10_000,
  concurrent: 32,
  // A sale of some minutes. Who waits costs a little memory; who is refused comes back much later, with all the others.
  // While the gateway does not answer, the breaker refuses those who wait.
  waiting: 10_000,
};

export interface HttpGatewayOptions {
  /** Base URL, before `/v1/payments`; with a name and a password for it, if it wants them. */
  readonly url: string;
  readonly randomness: Randomness;
  readonly watch?: WatchGateway;
  readonly tuning?: Partial<GatewayTuning>;
}

const faulty = handleType(PassingFault).orType(TaskCancelledError);
const stateNames: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
};

/**
 * A payment gateway over HTTP. An attempt that takes too long is cut off; what may pass (no connection, no answer in
 * time, 408, 425, 429, 5xx) is tried again a few times, with the same idempotency key; while most attempts fail none
 * is made; and calls wait for one another before they are too many. So a gateway that is slow or down costs a bounded
 * number of connections, and whoever asks is told so soon.
 */
export function openHttpGateway(options: HttpGatewayOptions): PaymentGateway {
  const { url, randomness, watch } = options;
  const tuning = { ...usual, ...options.tuning };
  const attempt = attemptsAt(url);
  const soonWell = handleType(PassingFault, ({ retryAfter }) => retryAfter <= tuning.backOff.most).orType(
    TaskCancelledError,
  );
  const underWay = new Set<Promise<unknown>>();
  let closing = false;

  const breaker = circuitBreaker(faulty, {
    halfOpenAfter: tuning.breakFor,
    breaker: new SamplingBreaker({
      threshold: tuning.breakAbove,
      duration: tuning.breakOver,
      minimumRps: tuning.breakFrom,
    }),
  });
  breaker.onStateChange((state) => watch?.breaker(stateNames[state]));
  watch?.breaker('closed');
  // From the outside in. The breaker counts attempts, not calls: a gateway that answers at the second attempt is half well.
  const policy = wrap(
    bulkhead(tuning.concurrent, tuning.waiting),
    retry(soonWell, { maxAttempts: tuning.retries, backoff: waits(tuning.backOff, randomness) }),
    breaker,
  );
  // Not part of the wrap: there it would listen to a signal that all who waited for the half-open breaker share.
  const patience = timeout(tuning.timeout, TimeoutStrategy.Aggressive);

  function call(exchange: Exchange): Promise<GatewayPayment> {
    const startedAt = performance.now();
    const told = (outcome: CallOutcome): void =>
      watch?.called(exchange.step, outcome, (performance.now() - startedAt) / 1000);
    const calling = policy
      .execute(() => {
        if (closing) throw new Unavailable('payment gateway', 'The payment gateway is asked nothing more: we stop.');
        return patience.execute(({ signal }) => attempt(exchange, signal));
      })
      .then(
        (payment) => {
          told(payment.status);
          return payment;
        },
        (error: unknown) => {
          const [outcome, fault] = explain(error);
          told(outcome);
          throw fault;
        },
      );
    underWay.add(calling);
    const over = (): void => void underWay.delete(calling);
    calling.then(over, over);
    return calling;
  }

  return {
    authorise: ({ reference, amount, currency, token }) =>
      call({ step: 'authorise', reference, body: { reference, amount, currency, token } }),
    capture: (reference) => call({ step: 'capture', reference }),
    void: (reference) => call({ step: 'void', reference }),
    refund: (reference) => call({ step: 'refund', reference }),
    close: async () => {
      closing = true;
      await Promise.allSettled(underWay);
    },
  };
}

/** How long to wait before the next attempt: longer where the gateway asks for it. */
function waits(backOff: BackOff, randomness: Randomness): IBackoffFactory<IRetryBackoffContext<unknown>> {
  return {
    next: ({ result, attempt }) => {
      const asked = 'error' in result && result.error instanceof PassingFault ? result.error.retryAfter : 0;
      return {
        duration: Math.max(asked, backOffDelay(backOff, attempt - 1, randomness)),
        ...waits(backOff, randomness),
      };
    },
  };
}

/** What a call failed with, as metrics and as the port have it. */
function explain(error: unknown): readonly [CallOutcome, unknown] {
  const unavailable = (message: string): Unavailable => new Unavailable('payment gateway', message, { cause: error });
  if (error instanceof Unavailable) return ['unavailable', error];
  if (error instanceof BrokenCircuitError) {
    return ['not-asked', unavailable('The payment gateway failed just now and is not asked for a moment.')];
  }
  if (error instanceof BulkheadRejectedError) {
    return ['crowded', unavailable('Too many are waiting for the payment gateway.')];
  }
  if (error instanceof TaskCancelledError) {
    return ['unavailable', unavailable('The payment gateway did not answer in time.')];
  }
  if (error instanceof PassingFault) return ['unavailable', unavailable(error.message)];
  return ['refused', error];
}
