/** What never belongs in a log, by its form, and what stands in its place. */
const secrets: readonly (readonly [form: RegExp, instead: string])[] = [
  // JSON Web Tokens.
  [/eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, '(token)'],
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, '$1 (token)'],
  // Personal data, though it is sealed: after erasure nothing of it is to be left.
  [/sealed\.\d+\.[\w-]+\.[\w+/=-]+/g, '(sealed)'],
  // 32 bytes in base64: the master key, and what it wraps.
  [/(?<![\w+/])[A-Za-z0-9+/]{43}=/g, '(key)'],
  // Passwords in addresses of servers.
  [/([a-z][a-z0-9+.-]*:\/\/[^:@/\s"\\]*):[^@/\s"\\]*@/gi, '$1:…@'],
];

/**
 * A line of the log without secrets, whatever error brought them there: drivers put documents, addresses and headers
 * into theirs.
 */
export function withoutSecrets(line: string): string {
  let clean = line;
  for (const [form, instead] of secrets) clean = clean.replace(form, instead);
  return clean;
}
