/**
 * The time of a new event: never before the event before it in its stream nor before its cause, whatever the clock
 * says. All of them RFC 3339 UTC with milliseconds; `undefined`: there is none.
 */
export function notBefore(occurredAt: string, ...earlier: readonly (string | undefined)[]): string {
  return earlier.reduce<string>((latest, time) => (time !== undefined && time > latest ? time : latest), occurredAt);
}
