import { InvalidInput } from './errors.js';

/** Where a command's last event stands; what a read must have passed to show it. */
export interface WritePoint {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly partitionKey: string;
}

/** An opaque token for a write point. Its form is ours and may change; clients pass it on unread. */
export function encodeConsistencyToken(point: WritePoint): string {
  const text = JSON.stringify([1, point.stream, point.revision, point.position, point.partitionKey]);
  return Buffer.from(text, 'utf8').toString('base64url');
}

/** The write point of a token. Throws `InvalidInput` on anything that `encodeConsistencyToken` did not make. */
export function decodeConsistencyToken(token: string): WritePoint {
  try {
    const fields: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (Array.isArray(fields) && fields.length === 5) {
      const [form, stream, revision, position, partitionKey] = fields as unknown[];
      if (
        form === 1 &&
        typeof stream === 'string' &&
        typeof revision === 'number' &&
        Number.isSafeInteger(revision) &&
        typeof position === 'number' &&
        Number.isSafeInteger(position) &&
        typeof partitionKey === 'string'
      ) {
        return { stream, revision, position, partitionKey };
      }
    }
  } catch {
    // not ours, said below
  }
  throw new InvalidInput([], 'The Consistency-Token is not one that this service gave.');
}
