/**
 * When something happened that may not be earlier than these: neither than the event before it in its stream nor than
 * what caused it, whatever the clock says. All of them RFC 3339 UTC with milliseconds; `undefined`: there is none.
 */
export function notBefore(occurredAt: string, ...earlier: readonly (string | undefined)[]): string {
  return earlier.reduce<string>((latest, time) => (time !== undefined && time > latest ? time : latest), occurredAt);
}
