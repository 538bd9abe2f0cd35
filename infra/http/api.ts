import type { RequestListener } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { Route } from './route.js';
import type { TokenVerifier } from './tokens.js';
import type { OpenApiDocument } from './openapi.js';

/** Whether what the process needs is there: a name for each need, and why it is not met. */
export interface Readiness {
  readonly ready: boolean;
  /** Need → `ok` or one sentence. */
  readonly checks: Readonly<Record<string, string>>;
}

export interface ApiParts {
  readonly routes: readonly Route[];
  readonly document: OpenApiDocument;
  readonly verify: TokenVerifier;
  readonly ready: () => Promise<Readiness>;
  /** Metrics of the process; those of the API's requests come on top. */
  readonly metrics: Registry;
  readonly log: Pick<Logger, 'error' | 'warn'>;
  readonly randomness: Pick<Randomness, 'uuid'>;
}

/** An API of these routes, with what both APIs have: see the contract, "Both APIs". Everything else is refused. */
export declare function createApi(parts: ApiParts): RequestListener;
