import { createHash } from 'node:crypto';
import type { StoredSnapshot } from '@waybill/shared-kernel/ports/snapshots.js';
import type { KnownRequest, RuledRequests } from '../known-requests.js';

/** An aggregate as it stood after one event of its stream, and what its stream's beginning is still needed for. */
export interface Snapshot<State> {
  readonly revision: number;
  /** Of the event at that revision: another one there, and this is of another history. */
  readonly eventId: string;
  /** Made of JSON. Personal data in it is sealed, as it is in the events. */
  readonly state: State;
  readonly requests: readonly KnownRequest[];
  /** Where there are any. */
  readonly ruled?: RuledRequests | undefined;
}

/** Why one is not used. */
export interface Unusable {
  readonly why: string;
  /** It will never be of use to anybody. */
  readonly isWrong: boolean;
}

/** As it is stored: a digest over everything that must be right about it, then the JSON. */
export function writeSnapshot<State>(
  stream: string,
  schemaVersion: number,
  { revision, ...content }: Snapshot<State>,
): StoredSnapshot {
  const json = JSON.stringify(content);
  return { revision, schemaVersion, text: `${digest(stream, schemaVersion, revision, json)}${json}` };
}

/** What was stored for a stream, if it is whole, of this stream and of this version. */
export function readSnapshot<State>(
  stream: string,
  version: number,
  { revision, schemaVersion, text }: StoredSnapshot,
): Snapshot<State> | Unusable {
  const json = text.slice(digestLength);
  if (text.slice(0, digestLength) !== digest(stream, schemaVersion, revision, json)) {
    return { why: 'it is damaged', isWrong: true };
  }
  if (schemaVersion !== version) {
    return { why: `it is of version ${schemaVersion}, this program makes version ${version}`, isWrong: false };
  }
  // What has the right digest was written by `writeSnapshot`, in the shape of this version.
  return { revision, ...(JSON.parse(json) as Omit<Snapshot<State>, 'revision'>) };
}

/** SHA-256 in base64url. */
const digestLength = 43;

function digest(stream: string, version: number, revision: number, json: string): string {
  return createHash('sha256').update(`${stream}\n${version}\n${revision}\n${json}`).digest('base64url');
}
