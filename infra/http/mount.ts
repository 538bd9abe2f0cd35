import type { Express } from 'express';
import { RequestRefused } from './problem.js';
import type { Method } from './route.js';
import { send, type Handler } from './send.js';

/** Mounts a path with all its methods. Any other is refused (405); OPTIONS is answered with those there are. */
export function mount(app: Express, path: string, handlers: ReadonlyMap<Method, Handler>): void {
  const allow = {
    Allow: [...handlers.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', '),
  };
  const otherwise: Handler = (request, response) => {
    if (request.method !== 'OPTIONS') {
      throw new RequestRefused('method-not-allowed', `This path supports ${allow.Allow}.`, allow);
    }
    send(response, { status: 204, headers: allow });
  };
  const noted: Handler = (_request, response, next) => {
    response.locals.route = path;
    next();
  };
  const mounted = app.route(path).all(noted);
  const get = handlers.get('GET');
  if (get !== undefined) mounted.get(get);
  const post = handlers.get('POST');
  if (post !== undefined) mounted.post(post);
  mounted.all(otherwise);
}
