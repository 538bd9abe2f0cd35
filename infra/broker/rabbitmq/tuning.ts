import type { BackOff } from '@waybill/shared-kernel/back-off.js';

/** What rarely needs changing. Times in milliseconds. */
export interface RabbitMqTuning {
  /** Most messages a queue holds before `publish` waits. A queue keeps what it was declared with. */
  readonly capacity: number;
  /** Most published messages that are not confirmed yet. */
  readonly window: number;
  /** Seconds after which a silent connection is suspected; it is given up after two of them. */
  readonly heartbeatSeconds: number;
  /** What a new connection may take. */
  readonly connectTimeout: number;
  /** Without any confirm for so long, what is under way is published again on another channel. */
  readonly confirmTimeout: number;
  /** What anything but `publish` waits for an answer of the server, reconnecting included, before `Unavailable`. */
  readonly patience: number;
  /** What a clean goodbye may take before the connection is cut. */
  readonly closeTimeout: number;
  /** Waits between attempts: to connect, to open a channel, to publish what was refused. */
  readonly backOff: BackOff;
}

export const rabbitMqTuning: RabbitMqTuning = {
  capacity: 10_000,
  window: 1000,
  heartbeatSeconds: 10,
  connectTimeout: 10_000,
  confirmTimeout: 60_000,
  patience: 10_000,
  closeTimeout: 5000,
  backOff: { first: 50, most: 5000 },
};
