import { DocumentNotStorable } from '@waybill/shared-kernel/errors.js';
import {
  largestSections,
  type CollectionSpec,
  type Degraded,
  type DegradedBy,
  type DocumentWrite,
  type Share,
  type SumKey,
} from '@waybill/shared-kernel/ports/read-store.js';

/** The longest that a UTF-16 code unit becomes in UTF-8. */
const mostBytesOfUnit = 3;

/**
 * The sections of a document as `stringify` writes them. Throws `DocumentNotStorable` where they are not JSON or too
 * large: every store refuses the same.
 */
export function sectionsText(
  { key, sections }: DocumentWrite,
  stringify: (sections: DocumentWrite['sections']) => string = JSON.stringify,
): string {
  let text: string;
  try {
    text = stringify(sections);
  } catch (cause) {
    throw new DocumentNotStorable(key, `Its sections cannot be written as JSON: ${String(cause)}`, { cause });
  }
  if (text.length * mostBytesOfUnit > largestSections) refuseTooLarge(key, Buffer.byteLength(text));
  return text;
}

function refuseTooLarge(key: string, bytes: number): void {
  if (bytes <= largestSections) return;
  throw new DocumentNotStorable(key, `It has ${bytes} bytes; a document has at most ${largestSections}.`);
}

/** Throws `DocumentNotStorable` where a value of a field is not what the spec says. */
export function checkFields(
  { fields: kinds, multiple, searched = [], sums }: CollectionSpec,
  write: DocumentWrite,
): void {
  const { single, multiple: sets, shares = [] } = write.fields;
  for (const field in kinds) {
    const value = single[field] ?? null;
    if (value !== null && typeof value !== (kinds[field] === 'text' ? 'string' : 'number')) {
      throw new DocumentNotStorable(write.key, `Its field ${field} takes ${kinds[field]}, not ${typeof value}.`);
    }
  }
  for (const field of multiple) checkSet(write.key, field, sets[field]);
  for (const field of searched) checkSet(write.key, field, sets[field]);
  if (sums === true) for (const share of shares) checkShare(write.key, share);
}

function checkShare(key: string, { amount, owner, day, unit, name }: Share): void {
  if (!Number.isSafeInteger(amount)) {
    throw new DocumentNotStorable(key, `It adds ${String(amount)} to a sum, which takes whole numbers below 2^53.`);
  }
  for (const part of [owner, day, unit, name] as readonly unknown[]) {
    if (typeof part !== 'string') throw new DocumentNotStorable(key, `A sum of it has no text as a part of its key.`);
  }
}

/** What JSON writes otherwise than it is. */
export const needsEscape = /["\\\0-\x1f\ud800-\udfff]/;

/** The key of a sum as one text: JSON. */
export function sumKeyText({ owner, day, unit, name }: SumKey): string {
  // By hand, as each document has several, and next to none has anything to escape.
  const text = `["${owner}","${day}","${unit}","${name}"]`;
  const parts = owner + day + unit + name;
  return needsEscape.test(parts) ? JSON.stringify([owner, day, unit, name]) : text;
}

/** Whether a text is one that `sumKeyText` gave. */
export function isSumKey(text: string): boolean {
  try {
    const key: unknown = JSON.parse(text);
    return Array.isArray(key) && key.length === 4 && key.every((part) => typeof part === 'string');
  } catch {
    return false;
  }
}

/** Of a text that `sumKeyText` gave. */
export function sumKeyOf(text: string): SumKey {
  const [owner, day, unit, name] = JSON.parse(text) as [string, string, string, string];
  return { owner, day, unit, name };
}

/** Amounts are summed in two parts, so that neither passes what an engine adds up exactly: `high` times this and `low`. */
export const highPart = 1_000_000_000;

function checkSet(key: string, field: string, values: readonly unknown[] = []): void {
  for (const value of values) {
    if (typeof value !== 'string')
      throw new DocumentNotStorable(key, `Its field ${field} takes text, not ${typeof value}.`);
  }
}

/** What says that a document is quarantined, as text: the same text for the same, so that it can be compared. */
export function degradedText(degraded: Degraded): string {
  const { since, triedAt, error, seen } = degraded;
  const sections = Object.keys(seen).sort();
  const ordered = Object.fromEntries(sections.map((section) => [section, seen[section]]));
  return JSON.stringify({ since, triedAt, error, ...causeOf(degraded), seen: ordered });
}

function causeOf({ event, cut }: Degraded): DegradedBy {
  if (cut !== undefined) return { cut: { stream: cut.stream, firstRevision: cut.firstRevision } };
  const { id, stream, revision, position, type } = event;
  return { event: { id, stream, revision, position, type } };
}
