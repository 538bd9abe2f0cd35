import autocannon from 'autocannon';

/**
 * Loads an URL for some seconds, or with an `amount` of requests, from this process, each connection sending its next
 * request when it has the answer to the one before. Every `[<id>]` in the request becomes a new id.
 * `mayRefuse`: 429 is an answer too. `perSecond`: requests that are offered, if the answers let it.
 * @returns {Promise<{ rate: number, count: number, refused: number, seconds: number, p50: number, p99: number }>}
 *   answers of 2xx a second, all of them, those of 429, and latencies in milliseconds
 * @throws when an answer was anything else, or a connection broke
 */
export async function load({ url, connections = 128, seconds, mayRefuse = false, perSecond, ...request }) {
  const result = await autocannon({
    url,
    connections,
    ...(seconds !== undefined && { duration: seconds }),
    ...(perSecond !== undefined && { overallRate: perSecond }),
    idReplacement: 'body' in request,
    ...request,
  });
  const refused = mayRefuse ? (result.statusCodeStats[429]?.count ?? 0) : 0;
  if (result.non2xx > refused || result.errors > 0) {
    throw new Error(`${url}: ${result.non2xx - refused} answers were not 2xx, ${result.errors} connections broke`);
  }
  const { duration, latency } = result;
  const count = result['2xx'];
  return { rate: count / duration, count, refused, seconds: duration, p50: latency.p50, p99: latency.p99 };
}
