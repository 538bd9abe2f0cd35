const form = /^(?!ff)([0-9a-f]{2})(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$/s;

/**
 * A trace context as events carry it: version 00 of W3C Trace Context, 55 characters. A later version begins alike and may
 * go on, without a bound, with what this one does not know: that is left out, and it is passed on as version 00 (§4.3
 * of the specification). `undefined` for what is none.
 */
export function traceparentFrom(text: string): string | undefined {
  const [, version, fields, more] = form.exec(text) ?? [];
  if (fields === undefined || (version === '00' && more !== undefined)) return undefined;
  return `00${fields}`;
}
