/** Events of `request-<request id>`: to which new aggregate a request went. */
export interface RequestEvent {
  readonly type: 'RequestDirected';
  readonly data: RequestDirected;
}

export interface RequestDirected {
  readonly stream: string;
  /** Keyed hash of the payload, base64url; null: it went there with any payload. */
  readonly hash: string | null;
  /** Whose data key made the hash; null where there is none. */
  readonly subject: string | null;
}
