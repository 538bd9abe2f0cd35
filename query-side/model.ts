import type { Answer } from '@waybill/infra/http/route.js';
import { documentFreshness, lagGauge, listFreshness, type Lags } from '@waybill/projections/freshness.js';
import type { Clock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { ListQuery, ReadStore, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import type { Sight } from './access.js';
import { fulfil, type Wish } from './consistency.js';
import { encodeCursor, type Place } from './cursor.js';
import { opensAlike, pageMemo, type Page } from './page-memo.js';
import { keyringOf, noKeys, type Keyring } from './personal-data.js';
import { isOf, openText, renderedCache, withFreshness, type Rendered } from './rendered.js';

/** How a read model is shown. */
export interface Model<View extends object> {
  readonly projection: Projection;
  /** `undefined`: what was folded so far is not yet something to show. */
  readonly view: (sections: Sections, revisions: Revisions) => View | undefined;
  /** Whose personal data is in it. */
  readonly subject: (view: View) => string | undefined;
  /** The view with its personal data opened, or null. */
  readonly show: (view: View, keys: Keyring) => object;
}

/** What reading takes. */
export interface Means {
  readonly events: Pick<EventStore, 'readStream' | 'readAll' | 'head'>;
  /** With the collections of all read models declared. */
  readonly readStore: ReadStore;
  /** Asked for every answer with personal data: give it one that keeps keys at hand for a while. */
  readonly keys: Pick<KeyStore, 'find'>;
  readonly clock: Clock;
  readonly timer: Timer;
}

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
  const { keys, readStore, clock } = means;
  const { projection } = model;
  const { collection } = projection;
  const gauge = lagGauge(collection, { store: means.events, readStore, clock });
  const caches = { personal: renderedCache(), bare: renderedCache() };
  const memo = pageMemo();

  async function keysFor(sight: Sight, subjects: Iterable<string>): Promise<Keyring> {
    return sight === 'personal' ? keyringOf(keys, subjects) : noKeys;
  }

  function orderOf(document: StoredDocument): string {
    return String(projection.fields(document.sections).single[collection.order]);
  }

  function renderView(document: StoredDocument, view: View, ring: Keyring): Rendered {
    const subject = model.subject(view);
    return {
      revisions: document.revisions,
      since: document.degraded?.since,
      subject,
      opened: subject !== undefined && ring.opens(subject),
      open: openText(model.show(view, ring), document.degraded),
      order: orderOf(document),
    };
  }

  /** Each as `sight` shows it. What was rendered before and still stands is not looked at again. */
  async function renderAll(
    documents: readonly StoredDocument[],
    sight: Sight,
  ): Promise<readonly (Rendered | undefined)[]> {
    const cache = caches[sight];
    const subjects = new Set<string>();
    const candidates = documents.map((document) => {
      const entry = cache.get(document.key);
      const isCurrent = entry !== undefined && isOf(entry, document);
      const view = isCurrent ? undefined : model.view(document.sections, document.revisions);
      const subject = isCurrent ? entry.subject : view && model.subject(view);
      if (subject !== undefined) subjects.add(subject);
      return { entry: isCurrent ? entry : undefined, view };
    });
    const ring = await keysFor(sight, subjects);
    return candidates.map(({ entry, view: found }, index) => {
      if (entry !== undefined && entry.opened === (entry.subject !== undefined && ring.opens(entry.subject))) {
        return entry;
      }
      const document = documents[index]!;
      const view = found ?? model.view(document.sections, document.revisions);
      if (view === undefined) return undefined;
      const fresh = renderView(document, view, ring);
      cache.set(document.key, fresh);
      return fresh;
    });
  }

  return {
    waitFor: (wish) => fulfil(wish, projection, means),

    async find(key) {
      const lags = await gauge.lags();
      const [document] = await readStore.load(collection, [key]);
      return document === undefined ? undefined : { document, lags };
    },

    async render(document, sight) {
      const [entry] = await renderAll([document], sight);
      return entry;
    },

    async page(query, sight, wish) {
      await fulfil(wish, projection, means);
      // In this order: what is read later is at least as fresh as what was measured before.
      const lags = await gauge.lags();
      const change = readStore.changeCounter();
      const isCurrent = lags.every((lag) => lag === 0);
      const name = `${sight} ${JSON.stringify(query)}`;
      const known = isCurrent ? memo.find(name, change) : undefined;
      if (known !== undefined && opensAlike(await keysFor(sight, known.people.keys()), known)) {
        return pageAnswer(known.body, wish);
      }
      const page = await readPage(query, sight, lags);
      if (isCurrent) memo.keep(name, change, page);
      return pageAnswer(page.body, wish);
    },
  };

  async function readPage({ limit, cursor, ...query }: PageQuery, sight: Sight, lags: Lags): Promise<Page> {
    const after = cursor === undefined ? undefined : { after: cursor };
    const found = await readStore.list(collection, { ...query, ...after, limit: limit + 1 });
    const documents = found.length > limit ? found.slice(0, limit) : found;
    const entries = await renderAll(documents, sight);
    const people = new Map<string, boolean>();
    let items = '';
    for (const [index, entry] of entries.entries()) {
      if (entry === undefined) continue;
      if (entry.subject !== undefined) people.set(entry.subject, entry.opened);
      const item = withFreshness(entry.open, documentFreshness(documents[index]!, lags));
      items += items === '' ? item : `,${item}`;
    }
    const last = documents.at(-1);
    const next =
      found.length > limit && last !== undefined
        ? `,"next":"${encodeCursor(collection.name, { order: entries.at(-1)?.order ?? orderOf(last), key: last.key })}"`
        : '';
    return { people, body: withFreshness(`{"items":[${items}]${next}`, listFreshness(documents, lags)) };
  }
}

function pageAnswer(body: string, wish: Wish | undefined): Answer {
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
