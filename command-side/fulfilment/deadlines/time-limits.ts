import type { DeadlineName, PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** How long fulfilment waits for others, milliseconds, before it does something about it. */
export const timeLimits = {
  /** From asking for a payment to giving it up. */
  payment: 15 * minute,
  /** From scheduling a delivery to its pick-up. */
  courier: day,
  /** From pick-up to the end of the delivery. */
  delivery: 2 * day,
  /** From a failed delivery to its return. */
  return: 7 * day,
} as const satisfies Record<DeadlineName, number>;

/** How long it waits again for what did not come, milliseconds. */
export const extendedTimeLimits = { courier: hour, delivery: day, return: day } as const;

/** Longer than the payment service takes to find out that the gateway does not answer. */
const firstRetry = 20 * second;
const longestRetry = { authorise: 2 * minute, capture: 10 * minute, release: 10 * minute } as const;

/** Within this time every request that is not answered is given up for the next, milliseconds. */
export const longestRetryMs = Math.max(...Object.values(longestRetry));

/** When the `attempt`th request (from 1) is given up for the next, if it is not answered. */
export function retryAt(now: number, step: PaymentStep, attempt: number): string {
  return later(now, Math.min(firstRetry * 2 ** Math.min(attempt - 1, 20), longestRetry[step]));
}

/** A time some milliseconds after another, RFC 3339 UTC. */
export function later(now: number, milliseconds: number): string {
  return new Date(now + milliseconds).toISOString();
}
