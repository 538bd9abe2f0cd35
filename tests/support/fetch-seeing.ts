/**
 * The answer to a read with a consistency token, asked for again while the read model is behind the write: how long it takes to
 * come along is the machine's affair.
 */
export async function fetchSeeing(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  for (;;) {
    const response = await fetch(url, { headers });
    if (response.status !== 503) return response;
    const { type } = (await response.clone().json()) as { type: string };
    if (type !== 'urn:waybill:problem:read-model-behind') return response;
  }
}
