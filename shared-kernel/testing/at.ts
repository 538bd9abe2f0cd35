import type { LogPosition } from '../subscriptions/log-position.js';

/** The position behind an event that is called after its place. */
export function at(position: number): LogPosition {
  return { through: position, anchors: [[position, `event-${position}`]] };
}

/** A position that names no event, as those were that were stored before any were named. */
export function upTo(through: number): LogPosition {
  return { through, anchors: [] };
}
