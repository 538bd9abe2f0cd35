import { userInfo } from 'node:os';
import { Option, type Command } from 'commander';
import { systemTimer } from '@waybill/infra/clock/system.js';
import { InvalidInput, NotFound } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import {
  isQuarantined,
  troubledStream,
  type QuarantinedDocument,
  type ReadStore,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { whatCanBeRead } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { cutText } from '@waybill/projections/quarantine/degraded-view.js';
import {
  countQuarantine,
  entryOf,
  findQuarantined,
  quarantineOf,
  type QuarantineEntry,
} from '@waybill/projections/quarantine/entries.js';
import { releaseDocument } from '@waybill/projections/quarantine/fold-or-quarantine.js';
import {
  releaseFulfilment,
  suspendedEntry,
  suspendedFulfilment,
  waitingForFulfilment,
} from './fulfilment/suspended-fulfilment.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { print, printJson, say, withProgress, type Context } from './context.js';
import { isAlone } from './stores/data-folder.js';
import { withEngines } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { counted, table } from './text/table.js';

/** What identifies an entry. */
type Name = Pick<QuarantineEntry, 'projection' | 'key'>;

/** `quarantine release --json`. */
interface Releases {
  readonly released: readonly Name[];
  /** Those that failed again, with the newer error. */
  readonly failed: readonly QuarantineEntry[];
}

/** `quarantine show --json`, of each read model. */
interface ShownEntry extends QuarantineEntry {
  /** Those that the document lacks, in the order of the log. */
  readonly events: readonly {
    readonly position: string;
    readonly stream: string;
    readonly revision: number;
    readonly type: string;
    readonly occurredAt: string;
  }[];
}

interface ReleaseOptions extends Options {
  readonly all?: true;
  readonly reason?: string;
}

interface Options {
  readonly projection?: string;
  readonly json?: true;
}

const names = [...projections.map(({ collection }) => collection.name), suspendedOrders.name];

/** Milliseconds that a release waits for the process manager. */
const answerTimeoutMs = 10_000;

export function addQuarantine(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  const quarantine = program
    .command('quarantine')
    .summary('inspect and release quarantined documents and suspended orders')
    .description(
      `Documents are quarantined when a projector cannot apply an event, or when events are missing from the event store.
Orders are suspended when fulfilment cannot handle an event.`,
    );
  const ofProjection = () => new Option('--projection <name>', 'only of this read model').choices(names);

  quarantine
    .command('list')
    .summary('list what is quarantined, and why')
    .addOption(ofProjection())
    .option('--json', 'one JSON document for programs: {entries}')
    .description('Lists the quarantined documents, each with the event that could not be applied.')
    .addHelpText('after', example('list'))
    .action(async (options: Options) => {
      const entries = await withQuarantine(options, context, async ({ live, fulfilment, store, readStore }) => {
        const found: QuarantineEntry[] = [];
        for (const projection of live) {
          for await (const document of quarantineOf(projection, readStore)) found.push(entryOf(projection, document));
        }
        if (fulfilment) {
          for await (const document of quarantineOf(suspendedFulfilment, readStore)) {
            found.push(await suspendedEntry(document, store));
          }
        }
        return found;
      });
      if (options.json) await printJson(context, { entries });
      else await print(context, formatList(entries));
    });

  quarantine
    .command('show')
    .summary('show one quarantined document and its waiting events')
    .argument('<key>', 'key of the document: the id of the order, delivery, product or customer')
    .addOption(ofProjection())
    .option('--json', 'one JSON document for programs: {entries}')
    .description('Shows why a document is quarantined, and the events of the log that are not in it.')
    .addHelpText('after', example('show 4711'))
    .action(async (key: string, options: Options) => {
      const entries = await withQuarantine(options, context, async (dependencies) => {
        const shown: ShownEntry[] = [];
        for (const [projection, document] of await findAll(key, dependencies)) {
          shown.push({
            ...entryOf(projection, document),
            events: await waitingEvents(projection, document, dependencies),
          });
        }
        const suspended = await findSuspended(key, dependencies);
        if (suspended !== undefined) {
          const waiting = await waitingForFulfilment(suspended, dependencies.store);
          shown.push({ ...(await suspendedEntry(suspended, dependencies.store)), events: waiting.map(named) });
        }
        requireFound(shown.length, key);
        return shown;
      });
      if (options.json) await printJson(context, { entries });
      else await print(context, entries.map(formatEntry).join('\n'));
    });

  quarantine
    .command('release')
    .summary('fold documents again from the log')
    .argument('[key]', 'key of the document: the id of the order, delivery, product or customer')
    .option('--all', 'everything in quarantine')
    .option('--reason <text>', 'why, for the log: where the fulfilment of an order goes on')
    .addOption(ofProjection())
    .option('--json', 'one JSON document for programs: {released, failed}')
    .description(
      `Folds a document again, from all its events in the log, once the fault is repaired. Works beside a running
projector and without one. Where it fails again it stays in quarantine, with the newer error. The fulfilment of an order goes on
where it stood: the process manager sees to it, and your name and reason are noted in the log.`,
    )
    .addHelpText('after', `\nExit code 1: something failed again, or is not in quarantine.\n${example('release 4711')}`)
    .action(async (key: string | undefined, { all, reason, ...options }: ReleaseOptions) => {
      if ((key === undefined) === (all === undefined)) {
        throw new InvalidInput([], 'Name the key to release, or give --all.');
      }
      const releases = await withQuarantine(options, context, (dependencies) =>
        release(key, reason ?? null, dependencies, context),
      );
      if (options.json) await printJson(context, releases);
      else await print(context, formatReleases(releases));
      if (releases.failed.length > 0) end(exitCodes.failed);
    });
}

function example(words: string): string {
  return `\nExample:\n  $ npx waybill quarantine ${words}`;
}

interface Dependencies {
  /** The read models that were asked for, in the versions that are read now. */
  readonly live: readonly Projection[];
  /** Whether suspended orders were asked for. */
  readonly fulfilment: boolean;
  readonly store: EventStore;
  readonly readStore: ReadStore;
}

function withQuarantine<T>(
  { projection: only }: Options,
  context: Context,
  work: (dependencies: Dependencies) => Promise<T>,
): Promise<T> {
  const asked = projections.filter(({ collection }) => only === undefined || collection.name === only);
  return withEngines(context.config(), context.clock, async (store, readStore) => {
    await readStore.declare(suspendedOrders);
    const fulfilment = only === undefined || only === suspendedOrders.name;
    return work({ live: await liveProjections(asked, readStore), fulfilment, store, readStore });
  });
}

async function findAll(
  key: string,
  { live, readStore }: Dependencies,
): Promise<readonly (readonly [Projection, QuarantinedDocument])[]> {
  const found: [Projection, QuarantinedDocument][] = [];
  for (const projection of live) {
    const document = await findQuarantined(projection, key, readStore);
    if (document !== undefined) found.push([projection, document]);
  }
  return found;
}

async function findSuspended(
  key: string,
  { fulfilment, readStore }: Dependencies,
): Promise<QuarantinedDocument | undefined> {
  return fulfilment ? findQuarantined(suspendedFulfilment, key, readStore) : undefined;
}

function requireFound(count: number, key: string): void {
  if (count === 0) throw new NotFound('document', key, `There is no ${key} in quarantine.`);
}

async function waitingEvents(
  projection: Projection,
  { key, revisions, degraded }: QuarantinedDocument,
  { store }: Dependencies,
): Promise<ShownEntry['events']> {
  const streams = new Set([...projection.streams(key), troubledStream(degraded)]);
  const found: RecordedEvent[] = [];
  for (const stream of streams) {
    const from = (revisions[categoryOf(stream)!] ?? -1) + 1;
    found.push(...(await whatCanBeRead(store, stream, from)).events);
  }
  return found.sort((one, other) => one.position - other.position).map(named);
}

function named({ position, stream, revision, type, occurredAt }: RecordedEvent): ShownEntry['events'][number] {
  return { position: String(position), stream, revision, type, occurredAt };
}

async function release(
  key: string | undefined,
  reason: string | null,
  dependencies: Dependencies,
  context: Context,
): Promise<Releases> {
  const released: Name[] = [];
  const failed: QuarantineEntry[] = [];
  async function again(projection: Projection, document: QuarantinedDocument): Promise<void> {
    const { key: name } = document;
    const stands = await releaseDocument(projection, name, { ...dependencies, clock: context.clock });
    if (stands !== undefined && isQuarantined(stands)) failed.push(entryOf(projection, stands));
    else released.push({ projection: projection.collection.name, key: name });
  }
  async function resume({ key: orderId }: QuarantinedDocument): Promise<void> {
    const { store, readStore } = dependencies;
    const actor = { sub: userInfo().username, role: 'operator' };
    const wait = isAlone(context.config()) ? 0 : answerTimeoutMs;
    const asked = { store, readStore, clock: context.clock, timer: systemTimer, actor, reason };
    const { taken, again: stands } = await releaseFulfilment(orderId, { ...asked, answerTimeoutMs: wait });
    if (!taken) say(context, `Fulfilment goes on with ${orderId} as soon as it runs and comes to it.`);
    if (stands === undefined) released.push({ projection: suspendedOrders.name, key: orderId });
    else failed.push(await suspendedEntry(stands, store));
  }
  if (key !== undefined) {
    const found = await findAll(key, dependencies);
    const suspended = await findSuspended(key, dependencies);
    requireFound(found.length + (suspended === undefined ? 0 : 1), key);
    for (const [projection, document] of found) await again(projection, document);
    if (suspended !== undefined) await resume(suspended);
    return { released, failed };
  }
  await withProgress(context, 'Releasing', async (progress) => {
    const counts = dependencies.live.map((projection) => countQuarantine(projection, dependencies.readStore));
    const total = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    for (const projection of dependencies.live) {
      for await (const document of quarantineOf(projection, dependencies.readStore)) {
        await again(projection, document);
        progress.advance(released.length + failed.length, total);
      }
    }
    if (!dependencies.fulfilment) return;
    for await (const order of quarantineOf(suspendedFulfilment, dependencies.readStore)) await resume(order);
  });
  return { released, failed };
}

function formatList(entries: readonly QuarantineEntry[]): string {
  if (entries.length === 0) return 'Nothing is in quarantine.\n';
  const rows = entries.map((entry) => {
    const { projection, key, since, waiting, error } = entry;
    return [projection, key, since, whereItStands(entry), waiting, error];
  });
  return table([['held by', 'key', 'since', 'stands at', 'waiting', 'error'], ...rows]);
}

/** In a few words. */
function whereItStands({ event, cut }: QuarantineEntry): string {
  if (event?.type === '') return `revision ${event.revision} of ${event.stream}, position ${event.position}`;
  if (event !== undefined) return `${event.type}, revision ${event.revision}`;
  if (cut === undefined) return '';
  return cut.firstRevision === null ? `${cut.stream}, gone` : `${cut.stream}, cut before revision ${cut.firstRevision}`;
}

function formatEntry(entry: ShownEntry): string {
  const { projection, version, key, since, triedAt, error, event, cut, events } = entry;
  const facts = table([
    ['since', since],
    event === undefined
      ? ['stream', cut === undefined ? '' : cutText(cut)]
      : [
          'event',
          `${event.type || 'cannot be read'}, revision ${event.revision} of ${event.stream}, position ${event.position}`,
        ],
    ['error', error],
    ['tried last', triedAt],
  ]);
  const rows = events.map(({ position, occurredAt, type, stream, revision }) => [
    position,
    occurredAt,
    type,
    `revision ${revision} of ${stream}`,
  ]);
  return `${projection} ${key} (version ${version})\n${facts}${rows.length === 0 ? '' : 'Waiting\n'}${table(rows)}`;
}

function formatReleases({ released, failed }: Releases): string {
  const good = `Released ${counted(released.length, 'document')}.\n`;
  return failed.length === 0
    ? good
    : `${good}${counted(failed.length, 'document')} failed again:\n${formatList(failed)}`;
}
