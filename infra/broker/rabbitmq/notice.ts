/** What happens between this process and the server, for logs and counters. */
export type Notice =
  | { readonly kind: 'connected'; readonly connection: string }
  /** A connection or channel ended, or was not to be had; it is tried again. */
  | { readonly kind: 'lost'; readonly connection: string; readonly reason: Error }
  /** The server takes nothing for want of memory or disk space, and publishing waits. */
  | { readonly kind: 'blocked'; readonly reason: string }
  | { readonly kind: 'unblocked' }
  /** So many batches had no answer for so long that they are published again. */
  | { readonly kind: 'unconfirmed'; readonly count: number }
  /** A message was not to be understood and lies with the dead letters now. */
  | { readonly kind: 'dead-lettered'; readonly queue: string; readonly reason: string }
  /** A queue was deleted under its consumer. */
  | { readonly kind: 'cancelled'; readonly queue: string };

export type Notify = (notice: Notice) => void;

/** What somebody should know of, as a fault; `undefined` for what is as it should be. */
export function noticeFault(notice: Notice): Error | undefined {
  switch (notice.kind) {
    case 'connected':
    case 'unblocked':
      return undefined;
    case 'lost':
      return new Error(`The connection "${notice.connection}" was lost or not to be had: ${notice.reason.message}`);
    case 'blocked':
      return new Error(`The server takes no messages: ${notice.reason}`);
    case 'unconfirmed':
      return new Error(`The server did not confirm ${notice.count} batches in time.`);
    case 'dead-lettered':
      return new Error(`A message in ${notice.queue} cannot be understood: ${notice.reason}`);
    case 'cancelled':
      return new Error(`The queue ${notice.queue} was deleted under its consumer.`);
    default:
      return notice satisfies never;
  }
}
