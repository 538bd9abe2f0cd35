import type { RecordedEvent } from '@waybill/shared-kernel/message.js';

/** A place in the past; both bounds are inclusive and RFC 3339 UTC with milliseconds. */
export interface PointInTime {
  /** By what had happened. */
  readonly asOf?: string;
  /** By what had been recorded. */
  readonly knownAt?: string;
  /**
   * When that is asked. A bound that is no earlier than `since` means the present: what the log dates later than `until`,
   * as a clock ran ahead, has happened and is recorded all the same. So has what it dates later than `now`, where the
   * bound is not before that.
   */
  readonly present?: { readonly since: string; readonly now: string; readonly until: string };
}

/** Clocks of two machines, and when somebody asks and when it is read, may be so many milliseconds apart. */
const toleranceMs = 10_000;

/** The same as it is asked at this moment, milliseconds since 1970. */
export function askedAt<Point extends PointInTime>(at: Point, nowMs: number): Point {
  const [since, now, until] = [nowMs - toleranceMs, nowMs, nowMs + toleranceMs].map((time) =>
    new Date(time).toISOString(),
  );
  return { ...at, present: { since: since!, now: now!, until: until! } };
}

/** Whether an event belongs to what is asked for. */
export function isKnown(
  { occurredAt, recordedAt }: Pick<RecordedEvent, 'occurredAt' | 'recordedAt'>,
  { asOf, knownAt, present }: PointInTime,
): boolean {
  return isWithin(occurredAt, asOf, present) && isWithin(recordedAt, knownAt, present);
}

function isWithin(time: string, bound: string | undefined, present: PointInTime['present']): boolean {
  if (bound === undefined || time <= bound) return true;
  if (present === undefined || bound < present.since) return false;
  return time > (bound >= present.now ? present.now : present.until);
}
