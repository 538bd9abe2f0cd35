/** An answer of the write API, whole. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** POSTs a command with a key. Rejects when the connection breaks: the outcome is then unknown. */
export async function post(baseUrl: string, path: string, token: string, key: string, body: unknown): Promise<Answer> {
  const response = await fetch(baseUrl + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, 'idempotency-key': key },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}
