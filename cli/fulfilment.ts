import { userInfo } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import {
  worklist,
  itemOf,
  openStates,
  type WorklistItem,
  type OpenState,
} from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { listOpen } from '@waybill/command-side/fulfilment/worklist/worklist-figures.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { requestIntervention, type Request } from './fulfilment/request-intervention.js';
import { knownFulfilment, type FulfilmentDetails } from './fulfilment/fulfilment-details.js';
import { waitForFulfilment } from './fulfilment/wait-for-fulfilment.js';
import { legibleEvent, timelineEvent } from '@waybill/projections/read-models/timeline-event.js';
import { print, printJson, say, type Context } from './context.js';
import { isAlone } from './stores/data-folder.js';
import { withEngines } from './stores/engines.js';
import { moneyText } from './text/money-text.js';
import { counted, table } from './text/table.js';
import { withoutPersonalData } from './text/without-personal-data.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

/** `fulfilment list --json`, of each. */
interface ListedFulfilment extends WorklistItem {
  readonly orderId: string;
  readonly isOverdue: boolean;
}

interface ListOptions {
  readonly state?: OpenState;
  readonly overdue?: true;
  readonly limit: number;
  readonly json?: true;
}

interface AskOptions {
  readonly reason: string;
  readonly json?: true;
}

/** Milliseconds that is waited for the process manager. */
const answerTimeoutMs = 10_000;

export function addFulfilment(program: Command, context: Context): void {
  const fulfilment = program
    .command('fulfilment')
    .summary('inspect and move stuck orders')
    .description('Shows how far each order has come, what it waits for and until when.');

  fulfilment
    .command('list')
    .summary('list open fulfilments, earliest deadline first')
    .addOption(new Option('--state <state>', 'only those in this state').choices(openStates))
    .option('--overdue', 'only those past their deadline')
    .option('--limit <number>', 'the most to list', limitOption, 50)
    .option('--json', 'one JSON document for programs: {fulfilments, more}')
    .description(
      `Lists orders that are neither delivered nor undone, with what each waits for. The longest overdue come first;
those without a deadline come last, oldest first.`,
    )
    .addHelpText('after', example('list --overdue'))
    .action(async ({ state, overdue, limit, json }: ListOptions) => {
      const now = epochMs(context.clock);
      const documents = await withFulfilment(context, ({ readStore }) =>
        listOpen(readStore, {
          ...(state !== undefined && { states: [state] }),
          ...(overdue && { overdueAt: now }),
          limit: limit + 1,
        }),
      );
      const listed = documents
        .slice(0, limit)
        .map((document) => ({ orderId: document.key, ...shownItem(itemOf(document), now) }));
      const more = documents.length > limit;
      if (json) await printJson(context, { fulfilments: listed, more });
      else await print(context, formatList(listed, more));
    });

  fulfilment
    .command('show')
    .summary('show one order and its history')
    .argument('<order>', 'its id')
    .option('--json', 'one JSON document for programs')
    .description('Shows how far an order has come: what it waits for, its reserved stock, its payment and every event.')
    .addHelpText('after', `\nExit code 1: the order has no fulfilment.\n${example('show o-4711')}`)
    .action(async (orderId: string, { json }: { readonly json?: true }) => {
      const known = await withFulfilment(context, (dependencies) => knownFulfilment(orderId, dependencies));
      const now = epochMs(context.clock);
      if (json) await printJson(context, publicForm(known, now));
      else await print(context, `${formatDetails(known, now)}Events\n${formatEvents(known.events)}`);
    });

  addRequest('retry', {
    summary: 'have what is due done now',
    description: `Has the process manager do now what it would do when the deadline is over: ask for the payment again, schedule
the delivery again. Nothing is done twice by it.`,
  });
  addRequest('compensate', {
    summary: 'have an order undone',
    description: `Has the process manager undo an order: it is cancelled, what was set aside goes back to the stock, and the money
back to the customer. Of an order that was delivered the money alone. Not while the parcel is out for delivery.`,
  });

  function addRequest(request: Request, { summary, description }: Readonly<Record<'summary' | 'description', string>>) {
    fulfilment
      .command(request)
      .summary(summary)
      .argument('<order>', 'its id')
      .requiredOption('--reason <text>', 'why, for the log', reasonOption)
      .option('--json', 'one JSON document for programs: {taken, fulfilment, events}')
      .description(`${description} Your name and reason are noted in the log.`)
      .addHelpText(
        'after',
        `\nExit code 1: the order has no fulfilment, or there is nothing to do.\n${example(`${request} o-4711 --reason 'asked by phone'`)}`,
      )
      .action(async (orderId: string, { reason, json }: AskOptions) => {
        const { taken, revision, known } = await ask(request, orderId, reason, context);
        const now = epochMs(context.clock);
        const since = known.events.filter((event) => event.revision > revision);
        if (json) {
          const { events: _all, ...stands } = publicForm(known, now);
          await printJson(context, { taken, fulfilment: stands, events: since.map(shownEvent) });
        } else {
          const outcome =
            since.length === 0 ? 'Nothing more has happened yet.\n' : `Since then\n${formatEvents(since)}`;
          await print(context, `Noted in the log.\n${formatDetails(known, now)}${taken ? outcome : ''}`);
        }
      });
  }
}

function example(words: string): string {
  return `\nExample:\n  $ npx waybill fulfilment ${words}`;
}

function limitOption(text: string): number {
  const limit = Number(text);
  if (!/^\d{1,5}$/.test(text) || limit < 1)
    throw new InvalidArgumentError('Expected is a whole number from 1 to 99999.');
  return limit;
}

function reasonOption(text: string): string {
  const reason = text.trim();
  if (reason === '' || reason.length > 500) throw new InvalidArgumentError('Expected is a reason of 1 to 500 letters.');
  return reason;
}

interface Dependencies {
  readonly store: EventStore;
  readonly readStore: ReadStore;
}

function withFulfilment<T>(context: Context, work: (dependencies: Dependencies) => Promise<T>): Promise<T> {
  return withEngines(context.config(), context.clock, async (store, readStore) => {
    await readStore.declare(worklist);
    await readStore.declare(suspendedOrders);
    return work({ store, readStore });
  });
}

interface Asked {
  /** The process manager has come to it. */
  readonly taken: boolean;
  /** Of the request, in the stream of the fulfilment. */
  readonly revision: number;
  readonly known: FulfilmentDetails;
}

function ask(request: Request, orderId: string, reason: string, context: Context): Promise<Asked> {
  return withFulfilment(context, async (dependencies) => {
    const actor = { sub: userInfo().username, role: 'operator' };
    const asking = { ...dependencies, clock: context.clock, randomness: systemRandomness, actor, reason };
    const { revision, position } = await requestIntervention(request, orderId, asking);
    const wait = isAlone(context.config()) ? 0 : answerTimeoutMs;
    const taken = await waitForFulfilment(orderId, position, {
      ...dependencies,
      timer: systemTimer,
      answerTimeoutMs: wait,
    });
    if (!taken) say(context, `It is done as soon as fulfilment runs and comes to it.`);
    return { taken, revision, known: await knownFulfilment(orderId, dependencies) };
  });
}

function shownItem(item: WorklistItem, now: number): WorklistItem & { readonly isOverdue: boolean } {
  return { ...item, isOverdue: item.dueAt !== null && Date.parse(item.dueAt) <= now };
}

function shownEvent(event: RecordedEvent): unknown {
  const legible = legibleEvent(event);
  return withoutPersonalData(timelineEvent(legible, legible.data));
}

function publicForm(known: FulfilmentDetails, now: number) {
  const { orderId, item, heldBack, charge, payment, asked, reserved, outcome, events } = known;
  const stands =
    item === undefined
      ? { state: null, deadline: null, dueAt: null, since: null, isOverdue: false }
      : shownItem(item, now);
  return {
    orderId,
    ...stands,
    outcome,
    heldBack:
      heldBack === undefined
        ? null
        : { since: heldBack.since, error: heldBack.error, event: heldBack.event?.type ?? null },
    charge,
    payment,
    asked,
    reserved,
    events: events.map(shownEvent),
  };
}

function formatList(listed: readonly ListedFulfilment[], more: boolean): string {
  if (listed.length === 0) return 'There is none.\n';
  const rows = listed.map(({ orderId, state, since, ...item }) => [orderId, state, since, formatDeadline(item)]);
  const end = more ? `  … and more: --limit shows how many.\n` : '';
  return `${table([['order', 'state', 'since', 'waits for'], ...rows])}${end}`;
}

function formatDeadline({
  deadline,
  dueAt,
  isOverdue,
}: Pick<ListedFulfilment, 'deadline' | 'dueAt' | 'isOverdue'>): string {
  if (deadline === null || dueAt === null) return '';
  return isOverdue ? `${deadline}, overdue since ${dueAt}` : `${deadline}, until ${dueAt}`;
}

function formatDetails(known: FulfilmentDetails, now: number): string {
  const { orderId, item, heldBack, charge, payment, asked, reserved } = known;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['state', stateText(known)],
    ['since', item?.since],
    ['waits for', item && formatDeadline(shownItem(item, now))],
    ['suspended', heldBack && `since ${heldBack.since} by ${heldBack.event?.type ?? 'its stream'}: ${heldBack.error}`],
    ['to be paid', charge === null ? 'nothing' : moneyText(charge)],
    ['payment', payment ?? undefined],
    [
      'asked for',
      asked === null ? undefined : `${asked.step}, ${counted(asked.attempt, 'time')}, again at ${asked.retryAt}`,
    ],
    ['set aside', reserved.map(({ productId, quantity }) => `${quantity} × ${productId}`).join(', ')],
  ];
  const present = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '');
  return `Order ${orderId}\n${table(present)}`;
}

/** Of an order that an earlier version, which kept no worklist, carried to its end, the events know more than the worklist. */
function stateText({ item, outcome }: FulfilmentDetails): string {
  const state = item?.state ?? (outcome === null ? 'not known yet' : 'completed');
  return outcome === null ? state : `${state}, ${outcome}`;
}

function formatEvents(events: readonly RecordedEvent[]): string {
  const rows = events.map(({ revision, occurredAt, type, actor, data }) => {
    if (actor === undefined) return [revision, occurredAt, type, ''];
    const { reason } = data;
    return [revision, occurredAt, type, `by ${actor.sub}${typeof reason === 'string' ? `: ${reason}` : ''}`];
  });
  return table(rows);
}
