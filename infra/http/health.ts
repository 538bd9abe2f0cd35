import { asError } from '@waybill/shared-kernel/as-error.js';
import type { RequestListener, ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Registry } from 'prom-client';
import { problemType } from './problem.js';
import type { Readiness } from './pages/public-pages.js';

export interface ProcessMetrics {
  readonly metrics: Registry;
  readonly countFault: (of: string) => void;
  readonly countQuarantined: (projection: string) => void;
}

/** Metrics of a process: of the faults it met and tries again, and of what it put into quarantine. */
export function processMetrics(): ProcessMetrics {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const faults = new Counter({
    name: 'waybill_faults_total',
    help: 'Faults that were met and are tried again, by where: a server, a queue, a partition.',
    labelNames: ['of'],
    registers: [metrics],
  });
  const quarantined = new Counter({
    name: 'waybill_quarantined_total',
    help: 'Documents that this process quarantined, by read model; orders that it suspended: fulfilment.',
    labelNames: ['projection'],
    registers: [metrics],
  });
  return {
    metrics,
    countFault: (of) => faults.inc({ of }),
    countQuarantined: (projection) => quarantined.inc({ projection }),
  };
}

export interface HealthParts {
  readonly ready: () => Promise<Readiness>;
  readonly metrics: Registry;
}

/** `/healthz`, `/readyz` and `/metrics` for a process that has no API. */
export function createHealth({ ready, metrics }: HealthParts): RequestListener {
  async function answer(path: string | undefined, response: ServerResponse): Promise<void> {
    switch (path) {
      case '/healthz':
        sendJson(response, 200, { status: 'ok' });
        return;
      case '/readyz': {
        const { ready: isReady, checks } = await ready();
        sendJson(response, isReady ? 200 : 503, { status: isReady ? 'ok' : 'unavailable', checks });
        return;
      }
      case '/metrics':
        response.writeHead(200, { 'Content-Type': metrics.contentType }).end(await metrics.metrics());
        return;
      default:
        sendJson(response, 404, { type: problemType('no-such-path'), title: 'Not found', status: 404 });
    }
  }

  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      return;
    }
    answer(request.url?.split('?')[0], response).catch((error: unknown) => {
      sendJson(response, 500, { status: 'failed', detail: error instanceof Error ? error.message : 'failed' });
    });
  };
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  const type = 'type' in body ? 'application/problem+json' : 'application/json';
  response
    .writeHead(status, {
      'Content-Type': type,
      'Cache-Control': 'no-store',
      ...(status === 503 && { 'Retry-After': '5' }),
    })
    .end(JSON.stringify(body));
}

/** Asks what a process needs, all at once: name → a question that rejects when it is not to be had. */
export async function readinessOf(questions: Readonly<Record<string, () => Promise<unknown>>>): Promise<Readiness> {
  const checks = await Promise.all(
    Object.entries(questions).map(async ([name, ask]) => {
      try {
        await ask();
        return [name, 'ok'] as const;
      } catch (error) {
        return [name, asError(error).message] as const;
      }
    }),
  );
  return { ready: checks.every(([, found]) => found === 'ok'), checks: Object.fromEntries(checks) };
}
