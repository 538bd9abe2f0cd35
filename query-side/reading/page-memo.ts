import { LRUCache } from 'lru-cache';
import type { Rendered } from './rendering.js';

/** A page as it was answered when everything was projected. */
export interface Page {
  readonly body: string;
  /** Whose personal data is in it, and whether it was opened. */
  readonly people: readonly Pick<Rendered, 'subject' | 'opened'>[];
}

interface Kept extends Page {
  readonly change: number;
}

const keptBytes = 32 * 1024 * 1024;

/**
 * Pages that are asked for again before anything changed, as pages that are polled are. Stands on the read store's
 * change counter: a page is given again only if the counter still is what it was before the page was read.
 */
export interface PageMemo {
  find(query: string, change: number): Page | undefined;
  keep(query: string, change: number, page: Page): void;
}

export function pageMemo(): PageMemo {
  const kept = new LRUCache<string, Kept>({
    maxSize: keptBytes,
    sizeCalculation: ({ body }) => 2 * body.length + 1000,
  });
  return {
    find(query, change) {
      const page = kept.get(query);
      return page?.change === change ? page : undefined;
    },
    keep(query, change, page) {
      kept.set(query, { ...page, change });
    },
  };
}
