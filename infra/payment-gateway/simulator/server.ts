import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { asError } from '@waybill/shared-kernel/as-error.js';
import { NotFound, RuleViolated, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness, Timer, WallClock, UuidSource } from '@waybill/shared-kernel/ports/clock.js';
import type { GatewayPayment } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { listen } from '../../http/server/listen.js';
import { isOurFault, problemAnswer, RequestRefused } from '../../http/problem.js';
import { readBody } from '../../http/server/read-body.js';
import { decideInTime } from './decide-in-time.js';
import { Ledger } from './ledger.js';
import type { Asked, PaymentDecision, Payment } from './payment.js';
import { authorisationOf, routeOf, type Route } from './requests.js';
import { WebhookSender } from './webhook-sender.js';

export interface SimulatorOptions {
  /** Where it listens; 127.0.0.1 unless said otherwise. */
  readonly host?: string;
  /** 0 (the default): any free one. */
  readonly port?: number;
  /** Made where there is none. Several simulators may share it. */
  readonly ledgerFile: string;
  readonly webhookSecret: string;
  readonly clock: WallClock;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Called with what went wrong and is not shown to the caller. */
  readonly report: (fault: Error) => void;
}

export interface Simulator {
  /** `http://host:port`. */
  readonly url: string;
  /** From now on webhooks are sent to this address, also those that nobody has taken before. */
  notifyAt(url: string): void;
  /** Hangs up on those who wait for nothing, and waits for all others. */
  close(): Promise<void>;
}

/**
 * A payment gateway to try things with: a server that takes money nowhere, and books it all the same. What a payment
 * comes to is said by its token: `tok_approve`, `tok_decline`, `tok_slow` (pending for two seconds), `tok_fail_once`,
 * `tok_hang` (no answer, no decision), `tok_double` (its webhook comes twice); any other is declined.
 *
 * | call | answer |
 * | --- | --- |
 * | `POST /v1/payments` `{reference, amount, currency, token}` | 200, or 202 while it is pending: `{reference, status, reason?}` |
 * | `POST /v1/payments/{reference}/capture` · `/void` · `/refund` | 200 or 202, the same; 404 |
 * | `GET /v1/payments/{reference}` | 200 or 202, the same; 404 |
 * | `GET /v1/ledger?reference=` | `{entries: [{at, reference, kind, amount, currency}]}` |
 * | `GET /healthz` | `{status: "ok"}` |
 *
 * A webhook tells how a payment stands where no answer did: it was pending, or whoever asked was gone. Throws
 * `BadConfiguration`, `BadDataFile` or `Unavailable`.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, clock, timer, report } = options;
  const ledger = new Ledger(options.ledgerFile, clock);
  const sender = new WebhookSender({ ...options, secret: options.webhookSecret, ledger });
  const deciding = decideInTime({ ledger, clock, timer, report, decided: () => sender.ring() });
  const hanging = new Set<ServerResponse>();
  let closing = false;

  const api = answering({
    ...options,
    async receive(asked) {
      const outcome = await ledger.receive(asked);
      if (outcome.payment?.status === 'pending') deciding.look();
      if (outcome.webhooks > 0) sender.ring();
      return outcome;
    },
    async tell(reference) {
      await ledger.tell(reference);
      sender.ring();
    },
    entries: (reference) => ledger.entries(reference),
    hang(response) {
      if (closing) response.destroy();
      hanging.add(response);
      response.once('close', () => hanging.delete(response));
    },
  });
  try {
    const listening = await listen(api, { host, port, portVariable: 'WAYBILL_SIMULATOR_PORT' });
    return {
      url: listening.url,
      notifyAt: (url) => sender.notifyAt(url),
      close: async () => {
        closing = true;
        for (const response of hanging) response.destroy();
        await listening.close();
        await deciding.stop();
        await sender.stop();
        await ledger.close();
      },
    };
  } catch (error) {
    await deciding.stop();
    await ledger.close();
    throw error;
  }
}

interface Answering {
  receive(asked: Asked): Promise<PaymentDecision>;
  /** Tells by a webhook how a payment stands. */
  tell(reference: string): Promise<void>;
  entries(reference: string | undefined): readonly object[];
  /** Never answers. */
  hang(response: ServerResponse): void;
  readonly randomness: UuidSource;
  readonly report: (fault: Error) => void;
}

function answering(dependencies: Answering): RequestListener {
  const { randomness, report } = dependencies;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://simulator.invalid');
    const routed = routeOf(pathname);
    if (routed === undefined) throw new RequestRefused('no-such-path', 'This path does not exist.');
    if (request.method !== routed.method) {
      throw new RequestRefused('method-not-allowed', `This path supports ${routed.method}.`, { Allow: routed.method });
    }
    const { route } = routed;
    switch (route.to) {
      case 'health':
        send(response, 200, { status: 'ok' });
        return;
      case 'ledger':
        send(response, 200, { entries: dependencies.entries(searchParams.get('reference') ?? undefined) });
        return;
      case 'authorise':
      case 'payment':
        await answerPayment(await askedBy(route, request, response), response);
        return;
      default:
        route satisfies never;
    }
  }

  async function answerPayment(asked: Asked, response: ServerResponse): Promise<void> {
    const closed = new Promise((resolve) => response.once('close', resolve));
    const outcome = await dependencies.receive(asked);
    if (outcome.answer === 'silence') {
      dependencies.hang(response);
      return;
    }
    const payment = shownOf(outcome, asked);
    send(response, payment.status === 'pending' ? 202 : 200, payment);
    await closed;
    // Who is gone cannot know, and a question that changes nothing is none that they wait for.
    if (!response.writableFinished && asked.ask !== 'look') await dependencies.tell(asked.reference);
  }

  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (isOurFault(error) && !(error instanceof PlannedFault)) {
        report(asError(error));
      }
      if (response.headersSent || response.destroyed) return;
      const { status, headers, body } = problemAnswer(error, randomness.uuid());
      // It works again at once.
      const wait = error instanceof PlannedFault ? { 'Retry-After': '1' } : undefined;
      response.writeHead(status, { ...headers, ...wait }).end(body);
    });
  };
}

/** One that a token asks for. */
class PlannedFault extends Unavailable {}

async function askedBy(
  route: Extract<Route, { to: 'authorise' | 'payment' }>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Asked> {
  if (route.to === 'authorise') return { ask: 'authorise', ...authorisationOf(await readBody(request, response)) };
  return { ask: route.ask, reference: route.reference };
}

/** How a payment stands, as it is answered. Throws what is answered in its place. */
function shownOf({ answer, payment }: PaymentDecision, { reference }: Asked): GatewayPayment {
  if (answer === 'fault') throw new PlannedFault('payment simulator', 'The token asks for a fault.');
  if (answer === 'mismatch') {
    throw new RuleViolated('other-amount', `Payment ${reference} was requested with another amount or currency.`);
  }
  if (answer !== 'payment' || !isStanding(payment)) throw new NotFound('payment', reference);
  const { status, reason } = payment;
  return { reference, status, ...(reason === null ? {} : { reason }) };
}

function isStanding(payment: Payment | undefined): payment is Payment & Pick<GatewayPayment, 'status'> {
  return payment !== undefined && payment.status !== 'failed';
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response
    .writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
      'Cache-Control': 'no-store',
    })
    .end(text);
}
