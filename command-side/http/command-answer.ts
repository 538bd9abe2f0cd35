import { json, type Answer } from '@waybill/infra/http/route.js';
import { encodeConsistencyToken } from '@waybill/shared-kernel/consistency-token.js';
import type { Handled } from '../handling/handle-command.js';

/** What a command's client hears: the aggregate's id and status, at which revision, and how to read it. */
export function commandAnswer(
  status: 200 | 201,
  handled: Handled<unknown>,
  body: Readonly<Record<string, string>>,
  location?: string,
): Answer {
  const { stream, revision, position, partitionKey, replayed } = handled;
  const headers: Record<string, string> = {
    ETag: `"${revision}"`,
    'Consistency-Token': encodeConsistencyToken({ stream, revision, position, partitionKey }),
  };
  if (location !== undefined) headers['Location'] = location;
  if (replayed) headers['Idempotency-Replayed'] = 'true';
  return json(status, { ...body, revision }, headers);
}
