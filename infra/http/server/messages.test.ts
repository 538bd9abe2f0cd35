import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import express, { type Express } from 'express';
import pino from 'pino';
import { Registry } from 'prom-client';
import { systemRandomness } from '../../clock/system.js';
import { createApi } from '../api.js';
import { listen, type Api, type Listening } from './listen.js';
import { messagesOf } from './messages.js';

const anyPort = { host: '127.0.0.1', port: 0, portVariable: 'PORT' };

let app: Express;
let server: Listening | undefined;

beforeEach(() => {
  app = express();
});

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function answerOf(api: Api): Promise<Response> {
  server = await listen(api, anyPort);
  return fetch(`${server.url}/`);
}

/** What Express does to the prototypes of a request and its answer as soon as it gets them. */
async function prototypesThrough(api: Api): Promise<{ readonly before: unknown[]; readonly after: unknown[] }> {
  let before: unknown[] = [];
  let after: unknown[] = [];
  const watched = (request: IncomingMessage, response: ServerResponse): void => {
    before = [Object.getPrototypeOf(request), Object.getPrototypeOf(response)];
    api(request, response);
    after = [Object.getPrototypeOf(request), Object.getPrototypeOf(response)];
  };
  await answerOf(api.messages === undefined ? watched : Object.assign(watched, { messages: api.messages }));
  return { before, after };
}

test('Express changes the prototypes of those that are not of its classes', async () => {
  const { before, after } = await prototypesThrough(app);
  expect(after[0]).not.toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});

test('an API gets requests and answers whose prototypes Express has no need to change', async () => {
  const api = createApi({
    routes: [],
    access: {},
    document: {
      openapi: '3.1.0',
      info: { title: 'An API', version: '1' },
      paths: {},
      components: { schemas: {}, securitySchemes: {} },
    },
    metrics: new Registry(),
    verify: () => ({ sub: 's1', roles: [] }),
    ready: () => Promise.resolve({ ready: true, checks: {} }),
    log: pino({ enabled: false }),
    randomness: systemRandomness,
  });
  const { before, after } = await prototypesThrough(api);
  expect(after[0]).toBe(before[0]);
  expect(after[1]).toBe(before[1]);
});

test('they have all that Express gives them, by the settings of their application', async () => {
  app.set('trust proxy', true);
  app.set('json spaces', 1);
  app.get('/', (request, response) => {
    response.status(203).json({ protocol: request.protocol, isOfApp: request.app === app && response.app === app });
  });
  const answer = await answerOf(Object.assign(app, { messages: messagesOf(app) }));
  expect(answer.status).toBe(203);
  expect(await answer.text()).toBe('{\n "protocol": "http",\n "isOfApp": true\n}');
});
