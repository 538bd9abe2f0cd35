import { InvalidArgumentError } from 'commander';
import { utcTime } from '@waybill/shared-kernel/time.js';

/** An RFC 3339 date-time of an option, as UTC with milliseconds. */
export function timeOption(text: string): string {
  const time = utcTime(text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError('Expected is an RFC 3339 time with its zone, such as 2017-11-24T23:59:59Z.');
}

const units = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const duration = /^([1-9]\d{0,8})([smhd])$/;

/** A duration such as `15m`, `8h` or `30d`, in seconds. */
export function durationOption(text: string): number {
  const match = duration.exec(text);
  const unit = match?.[2] as keyof typeof units | undefined;
  if (match === null || unit === undefined)
    throw new InvalidArgumentError('Expected is a duration such as 15m, 8h or 30d.');
  return Number(match[1]) * units[unit];
}
