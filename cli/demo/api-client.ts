import { setTimeout as sleep } from 'node:timers/promises';
import { BadConfiguration, NotFound, RuleViolated, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';

export interface Caller {
  readonly sub: string;
  readonly role: Role;
}

export type Body = Readonly<Record<string, unknown>>;

export interface ApiClient {
  /** Sends a command under a key that makes it safe to repeat. Answers with the body. */
  command(caller: Caller, path: string, key: string, body: object): Promise<Body>;
  /** Answers with the body. */
  read(caller: Caller, path: string): Promise<Body>;
}

function field(body: unknown, name: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value: unknown = Reflect.get(body, name);
  return typeof value === 'string' ? value : undefined;
}

async function ask(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    throw new Unavailable(
      'server',
      `No server answers at ${new URL(url).origin}. Start it with npm start, then run this again.`,
      { cause },
    );
  }
}

/** Throws `Unavailable` where nothing answers at a base URL. */
export async function requireServer(baseUrl: string): Promise<void> {
  const { status } = await ask(`${baseUrl}/healthz`, {});
  if (status !== 200) throw new Unavailable('server', `The server at ${baseUrl} is not well (it answers ${status}).`);
}

export interface ApiAddresses {
  readonly writeUrl: string;
  readonly readUrl: string;
}

/**
 * A client of both APIs. It tries again after a 429. Other refusals reject with `NotFound`, `RuleViolated` or
 * `Unavailable`, refused tokens with `BadConfiguration`.
 */
export function apiClient(
  { writeUrl, readUrl }: ApiAddresses,
  tokenOf: (caller: Caller) => Promise<string>,
): ApiClient {
  return {
    async command(caller, path, key, body) {
      const headers = {
        authorization: `Bearer ${await tokenOf(caller)}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      };
      return askApi(writeUrl, path, { method: 'POST', headers, body: JSON.stringify(body) });
    },
    async read(caller, path) {
      return askApi(readUrl, path, { method: 'GET', headers: { authorization: `Bearer ${await tokenOf(caller)}` } });
    },
  };
}

async function askApi(
  baseUrl: string,
  path: string,
  request: RequestInit & { readonly method: string },
): Promise<Body> {
  const response = await ask(`${baseUrl}${path}`, request);
  if (response.status === 429) {
    await response.body?.cancel();
    await sleep(1_000 * Number(response.headers.get('retry-after') ?? 1));
    return askApi(baseUrl, path, request);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Body;
  const why = field(answer, 'detail') ?? field(answer, 'title') ?? response.status;
  const said = `${request.method} ${path} was refused: ${why}`;
  switch (response.status) {
    case 401:
      throw new BadConfiguration(
        `The server at ${baseUrl} does not take tokens of this data folder. Set WAYBILL_DATA to the server's.`,
      );
    case 404:
      throw new NotFound('path', path);
    case 503:
      throw new Unavailable('server', said);
    default:
      throw new RuleViolated('refused', said);
  }
}
