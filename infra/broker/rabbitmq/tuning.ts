import type { BackOff } from '@waybill/shared-kernel/back-off.js';
import { queueBounds, type QueueBounds } from '@waybill/shared-kernel/ports/broker.js';

/** What rarely needs changing. Times in milliseconds. */
export interface RabbitMqTuning {
  /** A queue keeps what it was declared with. */
  readonly bounds: QueueBounds;
  /** Seconds after which a silent connection is suspected; it is given up after two of them. */
  readonly heartbeatSeconds: number;
  /** What a new connection may take. */
  readonly connectTimeout: number;
  /** Without any confirm for so long, what is under way is published again on another channel. */
  readonly confirmTimeout: number;
  /** What anything but `publish` waits for an answer of the server, reconnecting included, before `Unavailable`. */
  readonly answerTimeoutMs: number;
  /** What a clean goodbye may take before the connection is cut. */
  readonly closeTimeout: number;
  /** Waits between attempts to connect or to open a channel. */
  readonly backOff: BackOff;
}

export const rabbitMqTuning: RabbitMqTuning = {
  bounds: queueBounds,
  heartbeatSeconds: 10,
  connectTimeout: 10_000,
  confirmTimeout: 60_000,
  answerTimeoutMs: 10_000,
  closeTimeout: 5000,
  backOff: { first: 50, most: 5000 },
};
