import autocannon from 'autocannon';

/**
 * Loads an URL for some seconds, or with an `amount` of requests, from this process, each connection sending its next
 * request when it has the answer to the one before. Every `[<id>]` in the request becomes a new id.
 * @returns {Promise<{ rate: number, count: number, seconds: number, p50: number, p99: number }>} answers a second,
 *   all of them, and latencies in milliseconds
 * @throws when an answer was anything but 2xx, or a connection broke
 */
export async function load({ url, connections = 128, seconds, ...request }) {
  const result = await autocannon({
    url,
    connections,
    ...(seconds !== undefined && { duration: seconds }),
    idReplacement: 'body' in request,
    ...request,
  });
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx} answers were not 2xx, ${result.errors} connections broke`);
  }
  const { duration, latency } = result;
  const count = result['2xx'];
  return { rate: count / duration, count, seconds: duration, p50: latency.p50, p99: latency.p99 };
}
