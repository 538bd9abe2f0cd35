import type { Express } from 'express';
import type { Registry } from 'prom-client';
import { docsPage, docsScript } from './docs-page.js';
import { mount } from '../mount.js';
import type { OpenApiDocument } from './openapi.js';
import { json, type Answer } from '../route.js';
import { pageHeaders, send } from '../send.js';

/** Whether what the process needs is there. */
export interface Readiness {
  readonly ready: boolean;
  /** What is needed → `ok`, or one sentence that says what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

export interface PublicParts {
  readonly document: OpenApiDocument;
  readonly ready: () => Promise<Readiness>;
  /** Metrics of the process; those of the API's requests come on top. */
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>;
}

async function readiness(ready: () => Promise<Readiness>): Promise<Answer> {
  const { ready: isReady, checks } = await ready();
  return isReady
    ? json(200, { status: 'ok', checks })
    : json(503, { status: 'unavailable', checks }, { 'Retry-After': '5' });
}

/** Mounts what everybody may read without a token. */
export function mountPublicPages(app: Express, { document, ready, metrics }: PublicParts, requests: Registry): void {
  const publish = (path: string, answer: () => Answer | Promise<Answer>, headers?: readonly string[]) => {
    mount(app, path, new Map([['GET', async (_request, response) => send(response, await answer(), headers)]]));
  };
  const openapi: Answer = json(200, document);
  const docs: Answer = {
    status: 200,
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: docsPage(document.info.title),
  };
  publish('/healthz', () => json(200, { status: 'ok' }));
  publish('/readyz', () => readiness(ready));
  publish('/metrics', async () => ({
    status: 200,
    headers: { 'Content-Type': metrics.contentType },
    body: `${await metrics.metrics()}${await requests.metrics()}`,
  }));
  publish('/openapi.json', () => openapi);
  publish('/docs', () => docs, pageHeaders);
  mount(
    app,
    '/docs/rapidoc.js',
    new Map([
      [
        'GET',
        (_request, response, next) => {
          response.set('X-Request-Id', response.locals.requestId);
          response.sendFile(docsScript, { maxAge: '1h' }, (error) => {
            if (error !== undefined && !response.headersSent) next(error);
          });
        },
      ],
    ]),
  );
}
