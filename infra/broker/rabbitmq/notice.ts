/** What happens between this process and the server, for logs and counters. */
export type Notice =
  | { readonly kind: 'connected'; readonly connection: string }
  /** A connection or channel ended, or was not to be had; it is tried again. */
  | { readonly kind: 'lost'; readonly connection: string; readonly reason: Error }
  /** The server takes nothing for want of memory or disk space, and publishing waits. */
  | { readonly kind: 'blocked'; readonly reason: string }
  | { readonly kind: 'unblocked' }
  /** The server refused so many messages, most likely for a full queue; they are published again. */
  | { readonly kind: 'refused'; readonly count: number }
  /** So many messages had no answer for so long that they are published again. */
  | { readonly kind: 'unconfirmed'; readonly count: number }
  /** No queue took a message though one was declared here: somebody deleted it. What it held is in the log. */
  | { readonly kind: 'returned'; readonly messageId: string; readonly routingKey: string }
  /** A message was not to be understood and lies with the dead letters now. */
  | { readonly kind: 'dead-lettered'; readonly queue: string; readonly reason: string }
  /** A queue was deleted under its consumer. */
  | { readonly kind: 'cancelled'; readonly queue: string };

export type Notify = (notice: Notice) => void;
