import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { RuleViolated, Unavailable } from '@waybill/shared-kernel/errors.js';
import {
  isGatewayStatus,
  type GatewayCall,
  type GatewayPayment,
} from '@waybill/shared-kernel/ports/payment-gateway.js';

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
  /** What the gateway is asked for, as its paths and idempotency keys name it. */
  readonly step: GatewayCall;
  readonly reference: string;
  /** What is sent as JSON. */
  readonly body?: object;
}

/** One attempt at something. Rejects with `PassingFault`, `Unavailable`, or what asking again does not help against. */
export type Attempt = (exchange: Exchange, signal: AbortSignal) => Promise<GatewayPayment>;

/** The longest answer that is looked at, characters. Of a longer one no more is read. */
const longestAnswer = 64 * 1024;

/** What the gateway said. `text` is cut where it is longer than the longest. */
interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

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
  const post = postingTo(base);

  return async ({ step, reference, body }, signal) => {
    const path = step === 'authorise' ? '' : `/${encodeURIComponent(reference)}/${step}`;
    let reply: Reply;
    try {
      const headers = { ...authorization, 'Idempotency-Key': `${reference}:${step}` };
      reply = await post(`/v1/payments${path}`, headers, JSON.stringify(body ?? {}), signal);
    } catch (cause) {
      throw new PassingFault('The payment gateway did not answer.', 0, { cause });
    }
    if (reply.status >= 200 && reply.status < 300) return paymentIn(reply.text, reference);
    throw faultOf(reply, { step, reference });
  };
}

/** Posts JSON over connections that are kept. No redirection is followed: with the order's token, wherever it goes. */
function postingTo(
  base: string,
): (path: string, headers: Record<string, string>, body: string, signal: AbortSignal) => Promise<Reply> {
  const isTls = base.startsWith('https:');
  const send = isTls ? httpsRequest : httpRequest;
  const agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  return (path, headers, body, signal) =>
    new Promise((resolve, reject) => {
      const ofBody = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      const options = { method: 'POST', agent, signal, headers: { Accept: 'application/json', ...ofBody, ...headers } };
      const request = send(`${base}${path}`, options, (response) => {
        const { statusCode: status = 0, headers: received } = response;
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length <= longestAnswer) return;
          resolve({ status, headers: received, text });
          request.destroy();
        });
        response.on('end', () => resolve({ status, headers: received, text }));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
}

/** Throws `PassingFault` for what is no answer of a payment gateway: something else may have answered for it. */
function paymentIn(text: string, reference: string): GatewayPayment {
  const answer = parsed(text);
  const { status, reason } = answer;
  if (answer['reference'] !== reference || !isGatewayStatus(status)) {
    throw new PassingFault('The payment gateway answered with something else than a payment.');
  }
  return {
    reference,
    status,
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
  };
}

function faultOf({ status, headers, text }: Reply, { step, reference }: Exchange): Error {
  const said = `The payment gateway answered ${status}`;
  switch (status) {
    case 408:
    case 425:
    case 429:
      return new PassingFault(`${said}.`, retryAfterOf(headers));
    case 401:
    case 403:
    case 407:
      // Of us, not of the payment: once it is mended, asking again does help.
      return new Unavailable('payment gateway', `${said}: it refuses our credentials. Check WAYBILL_PAYMENT_URL.`);
    default:
      if (status >= 500) return new PassingFault(`${said}.`, retryAfterOf(headers));
      if (status < 400) {
        return new Unavailable('payment gateway', `${said}: the address has moved. Check WAYBILL_PAYMENT_URL.`);
      }
      return new RuleViolated('payment-refused', `${said} to ${step} of ${reference}: ${detailIn(text)}`);
  }
}

/** Milliseconds; 0 where nothing is asked. */
function retryAfterOf(headers: IncomingHttpHeaders): number {
  const seconds = Number(headers['retry-after'] ?? 0);
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
