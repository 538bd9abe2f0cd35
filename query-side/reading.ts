import type { Answer } from '@waybill/infra/http/route.js';
import { documentFreshness, lagGauge, listFreshness, type Lags } from '@waybill/projections/freshness.js';
import type { ListQuery, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Sight } from './access.js';
import { fulfil, type Wish } from './consistency.js';
import { encodeCursor, type Place } from './cursor.js';
import type { Means, Model } from './model.js';
import { pageMemo, type Page } from './page-memo.js';
import { keyringFor } from './personal-data.js';
import { renderOf, standsWith, withFreshness, type Rendered } from './rendering.js';

/** A document as found, with the lag measured before. */
export interface Found {
  readonly document: StoredDocument;
  readonly lags: Lags;
}

export interface PageQuery extends Omit<ListQuery, 'limit' | 'after'> {
  readonly limit: number;
  readonly cursor: Place | undefined;
}

/** Reads one read model and shows it. Deciding who may see what is the caller's business. */
export interface Reading {
  /** Waits until the model shows a reader's own write. */
  waitFor(wish: Wish | undefined): Promise<void>;
  find(key: string): Promise<Found | undefined>;
  /** `undefined`: there is nothing to show. */
  render(document: StoredDocument, sight: Sight): Promise<Rendered | undefined>;
  page(query: PageQuery, sight: Sight, wish: Wish | undefined): Promise<Answer>;
}

export function readingOf<View extends object>(model: Model<View>, means: Means): Reading {
  const { events, keys, readStore, clock } = means;
  const { projection } = model;
  const { collection } = projection;
  const gauge = lagGauge(collection, { store: events, readStore, clock });
  const render = renderOf(model, keys);
  const memo = pageMemo();

  async function stands(page: Page, sight: Sight): Promise<boolean> {
    const subjects = page.people.map(({ subject }) => subject);
    const ring = await keyringFor(sight, keys, subjects);
    return page.people.every((person) => standsWith(ring, person));
  }

  async function readPage({ limit, cursor, ...query }: PageQuery, sight: Sight, lags: Lags): Promise<Page> {
    const after = cursor === undefined ? undefined : { after: cursor };
    const found = await readStore.list(collection, { ...query, ...after, limit: limit + 1 });
    const documents = found.length > limit ? found.slice(0, limit) : found;
    const shown = await render(documents, sight);
    const people = new Map<string, Rendered>();
    let items = '';
    for (const [index, rendered] of shown.entries()) {
      if (rendered === undefined) continue;
      const { open, subject } = rendered;
      if (subject !== undefined) people.set(subject, rendered);
      items += (items === '' ? '' : ',') + withFreshness(open, documentFreshness(documents[index]!, lags));
    }
    const last = found.length > limit ? placeOf(documents.at(-1)!) : undefined;
    const next = last === undefined ? '' : `,"next":"${encodeCursor(collection.name, last)}"`;
    return {
      body: withFreshness(`{"items":[${items}]${next}`, listFreshness(documents, lags)),
      people: Array.from(people.values(), ({ subject, opened }) => ({ subject, opened })),
    };
  }

  function placeOf({ key, sections }: StoredDocument): Place {
    return { order: String(projection.fields(sections).single[collection.order]), key };
  }

  return {
    waitFor: (wish) => fulfil(wish, projection, means),

    async find(key) {
      const lags = await gauge.lags();
      const [document] = await readStore.load(collection, [key]);
      return document === undefined ? undefined : { document, lags };
    },

    async render(document, sight) {
      const [rendered] = await render([document], sight);
      return rendered;
    },

    async page(query, sight, wish) {
      await fulfil(wish, projection, means);
      // In this order: what is read later is at least as fresh as what was measured before.
      const lags = await gauge.lags();
      const change = readStore.changeCounter();
      const isUpToDate = lags.every((lag) => lag === 0);
      const name = `${sight} ${JSON.stringify(query)}`;
      const known = isUpToDate ? memo.find(name, change) : undefined;
      if (known !== undefined && (await stands(known, sight))) return pageAnswer(known, wish);
      const page = await readPage(query, sight, lags);
      if (isUpToDate) memo.keep(name, change, page);
      return pageAnswer(page, wish);
    },
  };
}

function pageAnswer({ body }: Page, wish: Wish | undefined): Answer {
  return wish === undefined ? { status: 200, body } : { status: 200, headers: wish.headers, body };
}

/** A found document as an answer. */
export function documentAnswer(
  { document, lags }: Found,
  { open }: Rendered,
  headers?: Readonly<Record<string, string>>,
): Answer {
  const body = withFreshness(open, documentFreshness(document, lags));
  return headers === undefined ? { status: 200, body } : { status: 200, headers, body };
}
