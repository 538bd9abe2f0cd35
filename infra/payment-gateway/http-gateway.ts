import {
  TaskCancelledError,
  TimeoutStrategy,
  handleWhen,
  retry,
  timeout,
  type IBackoffFactory,
  type IRetryBackoffContext,
} from 'cockatiel';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness, SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayCall, GatewayPayment, PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { steadyClock } from '../clock/steady.js';
import { systemTimer } from '../clock/system.js';
import { Breaker, type BreakerState, type BreakerTuning } from './breaker.js';
import { FairTurns, TooManyWaiting, type TurnLimits } from './fair-turns.js';
import { attemptsAt, PassingFault, type Exchange } from './http-exchange.js';

/**
 * What came of a call: how the payment stands; `refused`: asking again will not help; `unavailable`: no answer;
 * `crowded`: too many were waiting.
 */
export type CallOutcome = GatewayPayment['status'] | 'refused' | 'unavailable' | 'crowded';

/** Called with what happens between us and the gateway. */
export interface WatchGateway {
  /** `seconds`: with all attempts and the waits between them. */
  called(step: GatewayCall, outcome: CallOutcome, seconds: number): void;
  breaker(state: BreakerState): void;
}

/** How patient one is with the gateway. */
export interface GatewayTuning extends BreakerTuning, TurnLimits {
  /** How long one attempt may take, milliseconds. */
  readonly timeout: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Between attempts, with full jitter; who is asked to wait for longer asks no more. */
  readonly backOff: BackOff;
  /** How long the breaker stays open before one is let through. */
  readonly breakForMs: number;
}

const usual: GatewayTuning = {
  timeout: 5_000,
  retries: 2,
  backOff: { first: 200, most: 2_000 },
  breakAbove: 0.5,
  breakOverMs: 30_000,
  breakFromPayers: 10,
  breakForMs: 10_000,
  concurrent: 32,
  // A sale of some minutes. Who waits costs a little memory; who is refused comes back much later, with all the others.
  waiting: 10_000,
};

export interface HttpGatewayOptions {
  /** Base URL, before `/v1/payments`; with a name and a password for it, if it wants them. */
  readonly url: string;
  readonly randomness: Randomness;
  readonly watch?: WatchGateway;
  readonly tuning?: Partial<GatewayTuning>;
  /** Never set back. */
  readonly clock?: SteadyClock;
  readonly timer?: Timer;
}

/**
 * A payment gateway over HTTP. An attempt that takes too long is cut off; what may pass (no connection, no answer in
 * time, 408, 425, 429, 5xx) is tried again a few times, with the same idempotency key; and calls take turns, so that one
 * payer has no more than a share of those at once. While most payers' attempts fail none is made: who comes then waits,
 * and is asked for when the gateway answers again. So a gateway that is slow or down costs a bounded number of
 * connections.
 */
export function openHttpGateway(options: HttpGatewayOptions): PaymentGateway {
  const { url, randomness, watch, clock = steadyClock, timer = systemTimer } = options;
  const tuning = { ...usual, ...options.tuning };
  const attempt = attemptsAt(url);
  const underWay = new Set<Promise<unknown>>();
  const closing = new AbortController();
  const stopped = (): Unavailable =>
    new Unavailable('payment gateway', 'This process is stopping and makes no more calls to the payment gateway.');

  const turns = new FairTurns(tuning);
  const breaker = new Breaker(tuning, clock, (state) => {
    turns.allow(allowedAtOnce(state, tuning));
    watch?.breaker(state);
    if (state === 'open') void timer.sleep(tuning.breakForMs, closing.signal).then(() => breaker.tryOne());
  });
  watch?.breaker('closed');

  const retrying = retry(
    handleWhen((error) => isTriedAgain(error, tuning.backOff) && breaker.state === 'closed'),
    { maxAttempts: tuning.retries, backoff: waits(tuning.backOff, randomness) },
  );
  // An attempt that has its answer needs no signal: each costs an exception with a stack.
  const timeLimit = timeout(tuning.timeout, { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false });

  async function attemptOnce(exchange: Exchange, payer: string): Promise<GatewayPayment> {
    if (closing.signal.aborted) throw stopped();
    try {
      const payment = await timeLimit.execute(({ signal }) => attempt(exchange, signal));
      breaker.answered(payer);
      return payment;
    } catch (error) {
      if (isFault(error)) breaker.failed(payer);
      else breaker.answered(payer);
      throw error;
    }
  }

  function call(exchange: Exchange, payer = exchange.reference, isWanted = () => true): Promise<GatewayPayment> {
    const startedAt = performance.now();
    const end = (outcome: CallOutcome): void =>
      watch?.called(exchange.step, outcome, (performance.now() - startedAt) / 1000);
    const calling = turns
      .take(payer, async () => {
        if (!isWanted()) throw new Unavailable('payment gateway', 'The call is no longer needed.');
        return retrying.execute(() => attemptOnce(exchange, payer));
      })
      .then(
        (payment) => {
          end(payment.status);
          return payment;
        },
        (error: unknown) => {
          const [outcome, fault] = explain(error);
          end(outcome);
          throw fault;
        },
      );
    underWay.add(calling);
    const over = (): void => void underWay.delete(calling);
    calling.then(over, over);
    return calling;
  }

  return {
    authorise: ({ reference, amount, currency, token }, payer, isWanted) =>
      call({ step: 'authorise', reference, body: { reference, amount, currency, token } }, payer, isWanted),
    capture: (reference, payer) => call({ step: 'capture', reference }, payer),
    void: (reference, payer) => call({ step: 'void', reference }, payer),
    refund: (reference, payer) => call({ step: 'refund', reference }, payer),
    close: async () => {
      closing.abort();
      turns.end(stopped());
      await Promise.allSettled(underWay);
    },
  };
}

/** Open, nobody asks; half-open one does, and decides. */
function allowedAtOnce(state: BreakerState, { concurrent }: Pick<TurnLimits, 'concurrent'>): number {
  switch (state) {
    case 'closed':
      return concurrent;
    case 'half-open':
      return 1;
    case 'open':
      return 0;
    default:
      return state satisfies never;
  }
}

/** Of the gateway, or of the way to it. */
function isFault(error: unknown): boolean {
  return error instanceof PassingFault || error instanceof TaskCancelledError;
}

function isTriedAgain(error: unknown, { most }: BackOff): boolean {
  return error instanceof PassingFault ? error.retryAfter <= most : error instanceof TaskCancelledError;
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
  if (error instanceof TooManyWaiting) {
    return ['crowded', unavailable('Too many calls are waiting for the payment gateway.')];
  }
  if (error instanceof TaskCancelledError) {
    return ['unavailable', unavailable('The payment gateway did not answer in time.')];
  }
  if (error instanceof PassingFault) return ['unavailable', unavailable(error.message)];
  return ['refused', error];
}
