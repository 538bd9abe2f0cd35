import { createHash } from 'node:crypto';
import { revisionVector } from '@waybill/projections/read-models/fold-document.js';
import type { StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import type { Rendered } from './rendering.js';

/**
 * A weak entity tag over all revisions of a document and what its reader sees of it: another when either changes, the
 * same however fresh the answer is.
 */
export function weakETag(projection: Projection, { revisions }: StoredDocument, { open }: Rendered): string {
  const hash = createHash('sha256').update(revisionVector(projection, revisions)).update(open);
  return `W/"${hash.digest('base64url').slice(0, 22)}"`;
}

/** Whether an `If-None-Match` header names the tag: weak comparison, RFC 9110 §8.8.3.2 and §13.1.2. */
export function isNamed(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  const opaque = tag.replace(/^W\//, '');
  return ifNoneMatch.split(',').some((each) => each.trim().replace(/^W\//, '') === opaque);
}
