import { LRUCache } from 'lru-cache';
import type { Freshness } from './freshness.js';
import { degradedView } from '@waybill/projections/quarantine/degraded-view.js';
import type { KeyReader } from '@waybill/shared-kernel/ports/keys.js';
import type { StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Visibility } from '@waybill/infra/http/access.js';
import type { Model } from './model.js';
import { keyringFor, type Keyring } from '../personal-data.js';

/** A document as one kind of reader sees it, as JSON text but for its freshness, which changes with every answer. */
export interface Rendered {
  /** Without the brace at its end. */
  readonly open: string;
  /** Whose personal data is in the document. */
  readonly subject: string | undefined;
  /** Whether that was opened. */
  readonly opened: boolean;
}

/** A rendered document, and what it was rendered of. */
interface Kept extends Rendered {
  readonly version: number;
  readonly revisions: StoredDocument['revisions'];
  readonly degradedSince: string | undefined;
}

/**
 * Each document of a version of its collection as `visibility` shows it; `undefined` where there is nothing to show
 * yet.
 */
export type Render = (
  version: number,
  documents: readonly StoredDocument[],
  visibility: Visibility,
) => Promise<readonly (Rendered | undefined)[]>;

/** Bytes of text that are kept for each kind of reader. */
const keptBytes = 32 * 1024 * 1024;

function cache(): LRUCache<string, Kept> {
  return new LRUCache({ maxSize: keptBytes, sizeCalculation: ({ open }) => 2 * open.length + 500 });
}

/**
 * Renders documents. What was rendered before is given again while the document has the same revisions, in the same
 * version (another may have been made because of what this one shows), and the key of whose data is in it is there, or
 * still is not.
 */
export function renderOf<View extends object>(model: Model<View>, keys: KeyReader): Render {
  const caches = { personal: cache(), redacted: cache() };

  function viewOf({ sections, revisions }: StoredDocument): View | undefined {
    return model.view(sections, revisions);
  }

  function render(version: number, { revisions, degraded }: StoredDocument, view: View, ring: Keyring): Kept {
    const subject = model.subject(view);
    const shown = model.show(view, ring);
    return {
      open: JSON.stringify(degraded === undefined ? shown : { ...shown, degraded: degradedView(degraded) }).slice(
        0,
        -1,
      ),
      subject,
      opened: subject !== undefined && ring.opens(subject),
      version,
      revisions,
      degradedSince: degraded?.since,
    };
  }

  return async (version, documents, visibility) => {
    const kept = caches[visibility];
    const known = documents.map((document) => {
      const entry = kept.get(document.key);
      return entry?.version === version && isOf(entry, document) ? entry : undefined;
    });
    const views = documents.map((document, index) => (known[index] === undefined ? viewOf(document) : undefined));
    const subjects = views.map((view, index) => (view === undefined ? known[index]?.subject : model.subject(view)));
    const ring = await keyringFor(visibility, keys, subjects);
    return documents.map((document, index) => {
      const entry = known[index];
      if (entry !== undefined && standsWith(ring, entry)) return entry;
      const view = views[index] ?? viewOf(document);
      if (view === undefined) return undefined;
      const rendered = render(version, document, view, ring);
      kept.set(document.key, rendered);
      return rendered;
    });
  };
}

/** Whether the document is what was rendered. */
function isOf({ revisions, degradedSince }: Kept, document: StoredDocument): boolean {
  if (degradedSince !== document.degraded?.since) return false;
  let more = 0;
  for (const section in document.revisions) {
    if (revisions[section] !== document.revisions[section]) return false;
    more += 1;
  }
  for (const _section in revisions) more -= 1;
  return more === 0;
}

/** Whether a keyring opens what was opened and nothing else. */
export function standsWith(ring: Keyring, { subject, opened }: Pick<Rendered, 'subject' | 'opened'>): boolean {
  return subject === undefined || ring.opens(subject) === opened;
}

/** Closes JSON text that lacks the brace at its end with how fresh it is. */
export function withFreshness(open: string, { projectedAt, lagMs }: Freshness): string {
  // A time holds nothing that JSON would escape.
  const time = projectedAt === null ? 'null' : `"${projectedAt}"`;
  return `${open},"freshness":{"projectedAt":${time},"lagMs":${lagMs}}}`;
}
