import type { Visibility } from '@waybill/infra/http/access.js';
import type { Answer } from '@waybill/infra/http/route.js';
import { documentFreshness, listFreshness, type Lags } from './freshness.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type { CollectionSpec, ListQuery, Place, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import { serviceKeyOf } from '@waybill/shared-kernel/service-key.js';
import type { Wish } from './consistency.js';
import { cursorTakes, encodeCursor, type PageCursor } from './cursor.js';
import { readLiveOf, type LiveModel } from './live-model.js';
import type { Dependencies, Model } from './model.js';
import { pageMemo, type Page } from './page-memo.js';
import { keyringFor } from '../personal-data.js';
import { renderOf, standsWith, withFreshness, type Rendered } from './rendering.js';
import { openPlace, sealPlace } from './sealed-cursor.js';

/** A document as found, with the lag measured before. */
export interface Found {
  readonly document: StoredDocument;
  /** Of the collection that it was found in. */
  readonly version: number;
  readonly lags: Lags;
}

interface PlacedQuery extends Omit<PageQuery, 'cursor'> {
  readonly after: Place | undefined;
}

export interface PageQuery extends Omit<ListQuery, 'limit' | 'after'> {
  readonly limit: number;
  readonly cursor: PageCursor | undefined;
}

/**
 * Reads one read model and shows it, each answer from one version. Deciding who may see what is the caller's business.
 * With a wish it waits until the model shows the reader's own write.
 */
export interface Reading {
  find(key: string, wish: Wish | undefined): Promise<Found | undefined>;
  /** `undefined`: there is nothing to show. */
  render(found: Found, visibility: Visibility): Promise<Rendered | undefined>;
  page(query: PageQuery, visibility: Visibility, wish: Wish | undefined): Promise<Answer>;
}

export function readingOf<View extends object>(model: Model<View>, dependencies: Dependencies): Reading {
  const { keys, readStore } = dependencies;
  const { projection } = model;
  const readLive = readLiveOf(projection, dependencies);
  const render = renderOf(model, keys);
  const memo = pageMemo();

  async function stands(page: Page, visibility: Visibility): Promise<boolean> {
    const subjects = page.people.map(({ subject }) => subject);
    const ring = await keyringFor(visibility, keys, subjects);
    return page.people.every((person) => standsWith(ring, person));
  }

  async function readPage(
    collection: CollectionSpec,
    { limit, after, ...query }: PlacedQuery,
    visibility: Visibility,
    lags: Lags,
  ): Promise<Page> {
    const from = after === undefined ? undefined : { after };
    const { documents, next: place } = await readStore.page(collection, { ...query, ...from, limit });
    const shown = await render(collection.version, documents, visibility);
    const people = new Map<string, Rendered>();
    let items = '';
    for (const [index, rendered] of shown.entries()) {
      if (rendered === undefined) continue;
      const { open, subject } = rendered;
      if (subject !== undefined) people.set(subject, rendered);
      items += (items === '' ? '' : ',') + withFreshness(open, documentFreshness(documents[index]!, lags));
    }
    const next = place === undefined ? '' : `,"next":"${await cursorTo(place, documents.at(-1))}"`;
    return {
      body: withFreshness(`{"items":[${items}]${next}`, listFreshness(documents, lags)),
      people: Array.from(people.values(), ({ subject, opened }) => ({ subject, opened })),
    };
  }

  /** A page that is short ends at a document that its reader may not see, and is not told of. */
  async function cursorTo(place: Place, last: StoredDocument | undefined): Promise<string> {
    const { name } = projection.collection;
    return last?.key === place.key ? encodeCursor(name, place) : sealPlace(name, place, await serviceKeyOf(keys));
  }

  /** Throws `InvalidInput` where it is none that was given for this list. */
  async function placeOf(cursor: PageCursor): Promise<Place> {
    if (!('sealed' in cursor)) return cursor;
    const place = openPlace(projection.collection.name, cursor.sealed, await serviceKeyOf(keys));
    if (place !== undefined) return place;
    const detail = `It takes ${cursorTakes}.`;
    throw new InvalidInput([{ pointer: '/cursor', parameter: 'cursor', detail }], 'The query is not valid.');
  }

  async function answerPage(
    { projection: live, gauge }: LiveModel,
    query: PlacedQuery,
    visibility: Visibility,
  ): Promise<Page> {
    // In this order: what is read later is at least as fresh as what was measured before.
    const lags = await gauge.lags();
    const change = readStore.changeCounter();
    const isUpToDate = lags.every((lag) => lag === 0);
    const name = `${live.collection.version} ${visibility} ${JSON.stringify(query)}`;
    const known = isUpToDate ? memo.find(name, change) : undefined;
    if (known !== undefined && (await stands(known, visibility))) return known;
    const page = await readPage(live.collection, query, visibility, lags);
    if (isUpToDate) memo.keep(name, change, page);
    return page;
  }

  return {
    find: (key, wish) =>
      readLive(wish, async ({ projection: { collection }, gauge }) => {
        const lags = await gauge.lags();
        const [document] = await readStore.load(collection, [key]);
        return document === undefined ? undefined : { document, version: collection.version, lags };
      }),

    async render({ document, version }, visibility) {
      const [rendered] = await render(version, [document], visibility);
      return rendered;
    },

    page: async ({ cursor, ...query }, visibility, wish) => {
      const placed = { ...query, after: cursor && (await placeOf(cursor)) };
      return pageAnswer(await readLive(wish, (model) => answerPage(model, placed, visibility)), wish);
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
