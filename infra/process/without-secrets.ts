/** What never belongs in a log, by its form, and what stands in its place. */
const secrets: readonly (readonly [form: RegExp, instead: string])[] = [
  // JSON Web Tokens.
  [/eyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, '(token)'],
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, '$1 (token)'],
  // Personal data, though it is sealed: after erasure nothing of it is to be left.
  [/sealed\.\d+\.[\w-]+\.[\w+/=-]+/g, '(sealed)'],
  // 32 bytes in base64: the master key, and what it wraps.
  [/(?<![\w+/])[A-Za-z0-9+/]{43}=/g, '(key)'],
  // What a webhook is signed with, and a signature, by which who has it could try secrets.
  [/(webhook_?secret\\?"? *[:=] *\\?"?)[^\s"\\,}]+/gi, '$1(secret)'],
  [/\bsha256=[0-9a-f]{64}\b/gi, 'sha256=(signature)'],
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
