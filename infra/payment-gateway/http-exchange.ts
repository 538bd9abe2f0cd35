import { RuleViolated, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { GatewayPayment, GatewayStatus } from '@waybill/shared-kernel/ports/payment-gateway.js';

/** What the gateway is asked for, as its paths and idempotency keys name it. */
export type GatewayStep = 'authorise' | 'capture' | 'void' | 'refund';

/** An attempt that failed in a way that may pass: asking again soon may help. */
export class PassingFault extends Error {
  constructor(
    message: string,
    /** What the gateway asks to be left alone for, milliseconds. */
    readonly retryAfter = 0,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'PassingFault';
  }
}

export interface Exchange {
  readonly step: GatewayStep;
  readonly reference: string;
  /** What is sent as JSON. */
  readonly body?: object;
}

/** One attempt at something. Rejects with `PassingFault`, `Unavailable`, or what asking again does not help against. */
export type Attempt = (exchange: Exchange, signal: AbortSignal) => Promise<GatewayPayment>;

const statuses: ReadonlySet<string> = new Set<GatewayStatus>([
  'pending',
  'authorised',
  'declined',
  'captured',
  'voided',
  'refunded',
]);

/** The longest answer that is looked at, characters. */
const longestAnswer = 64 * 1024;

/** Attempts at a gateway at an address, which may hold a name and a password for it. */
export function attemptsAt(url: string): Attempt {
  const address = new URL(url);
  const { username, password } = address;
  address.username = '';
  address.password = '';
  const base = address.href.replace(/\/+$/, '');
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization =
    credentials === ':' ? {} : { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };

  return async ({ step, reference, body }, signal) => {
    const path = step === 'authorise' ? '' : `/${encodeURIComponent(reference)}/${step}`;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${base}/v1/payments${path}`, {
        method: 'POST',
        headers: {
          ...authorization,
          Accept: 'application/json',
          'Content-Type': 'application/json',
          'Idempotency-Key': `${reference}:${step}`,
        },
        body: JSON.stringify(body ?? {}),
        // It would be followed with the order's reference and token, wherever it goes.
        redirect: 'manual',
        signal,
      });
      text = await response.text();
    } catch (cause) {
      throw new PassingFault('The payment gateway did not answer.', 0, { cause });
    }
    if (response.ok) return paymentIn(text, reference);
    throw faultOf(response, text, { step, reference });
  };
}

/** Throws `PassingFault` for what is no answer of a payment gateway: something else may have answered for it. */
function paymentIn(text: string, reference: string): GatewayPayment {
  const answer = parsed(text);
  const { status, reason } = answer;
  if (answer['reference'] !== reference || typeof status !== 'string' || !statuses.has(status)) {
    throw new PassingFault('The payment gateway answered with something else than a payment.');
  }
  return {
    reference,
    status: status as GatewayStatus,
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
  };
}

function faultOf(response: Response, text: string, { step, reference }: Exchange): Error {
  const { status } = response;
  const said = `The payment gateway answered ${status}`;
  switch (status) {
    case 408:
    case 425:
    case 429:
      return new PassingFault(`${said}.`, retryAfterOf(response));
    case 401:
    case 403:
    case 407:
      // Of us, not of the payment: once it is mended, asking again does help.
      return new Unavailable('payment gateway', `${said}: it does not let us in. Check WAYBILL_PAYMENT_URL.`);
    default:
      if (status >= 500) return new PassingFault(`${said}.`, retryAfterOf(response));
      if (status < 400) {
        return new Unavailable('payment gateway', `${said}: it is somewhere else. Check WAYBILL_PAYMENT_URL.`);
      }
      return new RuleViolated('payment-refused', `${said} to ${step} of ${reference}: ${detailIn(text)}`);
  }
}

/** Milliseconds; 0 where nothing is asked. */
function retryAfterOf(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0;
}

/** What a problem (RFC 9457) says, shortened. */
function detailIn(text: string): string {
  const { detail, title } = parsed(text);
  const said = [detail, title].find((words): words is string => typeof words === 'string' && words !== '');
  return said?.slice(0, 300) ?? 'no reason was given.';
}

/** The fields of a JSON object; none where it is no object. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  if (text.length > longestAnswer) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
