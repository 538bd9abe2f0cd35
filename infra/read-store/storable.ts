import { DocumentNotStorable } from '@waybill/shared-kernel/errors.js';
import {
  largestSections,
  type CollectionSpec,
  type Degraded,
  type DocumentWrite,
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
export function checkFields({ fields: kinds, multiple, searched = [] }: CollectionSpec, write: DocumentWrite): void {
  const { single, multiple: sets } = write.fields;
  for (const field in kinds) {
    const value = single[field] ?? null;
    if (value !== null && typeof value !== (kinds[field] === 'text' ? 'string' : 'number')) {
      throw new DocumentNotStorable(write.key, `Its field ${field} takes ${kinds[field]}, not ${typeof value}.`);
    }
  }
  for (const field of multiple) checkSet(write.key, field, sets[field]);
  for (const field of searched) checkSet(write.key, field, sets[field]);
}

function checkSet(key: string, field: string, values: readonly unknown[] = []): void {
  for (const value of values) {
    if (typeof value !== 'string')
      throw new DocumentNotStorable(key, `Its field ${field} takes text, not ${typeof value}.`);
  }
}

/** What says that a document is quarantined, as text: the same text for the same, so that it can be compared. */
export function degradedText(degraded: Degraded): string {
  const { since, triedAt, error, event, seen } = degraded;
  const { id, stream, revision, position, type } = event;
  const sections = Object.keys(seen).sort();
  const ordered = Object.fromEntries(sections.map((section) => [section, seen[section]]));
  return JSON.stringify({ since, triedAt, error, event: { id, stream, revision, position, type }, seen: ordered });
}
