import { Histogram, type Registry } from 'prom-client';

/** Notes that a request to a route ended. `route` is a route's path as declared, so that labels stay few. */
export type ObserveRequest = (method: string, route: string, status: number, seconds: number) => void;

/** Durations of requests by method, route and status, in `registry`. */
export function observeRequests(registry: Registry): ObserveRequest {
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the head of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  // Looking a child up by its labels costs more than the observation.
  const children = new Map<string, Histogram.Internal<'method' | 'route' | 'status'>>();
  return (method, route, status, seconds) => {
    const name = `${method} ${route} ${status}`;
    let child = children.get(name);
    if (child === undefined) {
      child = durations.labels(method, route, String(status));
      children.set(name, child);
    }
    child.observe(seconds);
  };
}
