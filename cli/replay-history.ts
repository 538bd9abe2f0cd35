import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type { OrderStatus } from '@waybill/projections/read-models/orders.js';
import { replayHistory } from '@waybill/projections/replay/history.js';
import { askedAt } from '@waybill/projections/replay/point-in-time.js';
import { print, say, withProgress, type Context } from './context.js';
import { withLog } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { counted, table } from './text/table.js';
import { timeOption } from './text/time.js';
import { withoutPersonalData } from './text/without-personal-data.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

interface ReplayHistoryOptions {
  readonly asOf: string;
  readonly knownAt?: string;
  readonly out?: string;
  readonly json?: true;
}

/** Characters that are written at once. */
const chunkLength = 65_536;

type Census = Map<OrderStatus, number>;

export function addReplayHistory(replay: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  replay
    .command('history')
    .summary('every order as it was at a time')
    .requiredOption('--as-of <time>', 'as of what had happened by then, RFC 3339', timeOption)
    .option('--known-at <time>', 'as of what had been recorded by then, RFC 3339', timeOption)
    .option('--out <file>', 'write the orders to this file, one JSON document a line')
    .option('--json', 'the orders on standard output, one JSON document a line')
    .description(
      `Reads the log once and folds every order as it stood. Without --json or --out it counts them by status.
Personal data is left out. So are orders with events that cannot be read: each is named on standard error.`,
    )
    .addHelpText(
      'after',
      `
Exit code 1: an order was left out.

Example:
  $ npx waybill replay history --as-of 2017-11-24T23:59:59Z
  $ npx waybill replay history --as-of 2017-11-24T23:59:59Z --out black-friday.ndjson`,
    )
    .action(async (options: ReplayHistoryOptions) => {
      const { asOf, out, json } = options;
      const leftOut: string[] = [];
      const census =
        out !== undefined
          ? await writingTo(out, (sink) => takeCensus(options, context, sink, leftOut))
          : await takeCensus(options, context, json ? context.out : undefined, leftOut);
      const orders = [...census.values()].reduce((sum, count) => sum + count, 0);
      if (json) {
        if (out !== undefined) say(context, `Wrote ${counted(orders, 'order')} to ${out}.`);
      } else {
        await print(context, formatHistory(asOf, orders, census, out));
      }
      if (leftOut.length === 0) return;
      say(context, `Left out: ${counted(leftOut.length, 'order')}, of which not every event can be had.`);
      for (const line of leftOut) say(context, line);
      end(exitCodes.failed);
    });
}

/** Counts the orders of that time by status, and writes each to `sink`. Those left out are named in `leftOut`, a line each. */
async function takeCensus(
  { asOf, knownAt }: ReplayHistoryOptions,
  context: Context,
  sink: Writable | undefined,
  leftOut: string[],
): Promise<Census> {
  const census: Census = new Map();
  const at = askedAt({ asOf, ...(knownAt !== undefined && { knownAt }) }, epochMs(context.clock));
  await withLog(context.config(), context.clock, (store) =>
    withProgress(context, 'Replaying', async (progress) => {
      const onProgress = (position: number, head: number) => progress.advance(position, head);
      const onLeftOut = (orderId: string, { message }: Error) => leftOut.push(`  ${orderId}: ${message}`);
      let lines = '';
      for await (const order of replayHistory(store, at, { onProgress, onLeftOut })) {
        census.set(order.status, (census.get(order.status) ?? 0) + 1);
        if (sink === undefined) continue;
        lines += `${JSON.stringify(withoutPersonalData(order))}\n`;
        if (lines.length < chunkLength) continue;
        await write(sink, lines);
        lines = '';
      }
      if (sink !== undefined && lines !== '') await write(sink, lines);
    }),
  );
  return census;
}

async function write(sink: Writable, text: string): Promise<void> {
  if (!sink.write(text)) await once(sink, 'drain');
}

/** The file appears under its name when it is complete, in the place of an older one. */
async function writingTo<T>(path: string, work: (sink: Writable) => Promise<T>): Promise<T> {
  const draft = `${path}.part`;
  try {
    const sink = createWriteStream(draft);
    await once(sink, 'open');
    const result = await work(sink);
    sink.end();
    await once(sink, 'finish');
    await rename(draft, path);
    return result;
  } catch (error) {
    await rm(draft, { force: true });
    const code =
      typeof error === 'object' && error !== null && 'syscall' in error
        ? String(Reflect.get(error, 'code'))
        : undefined;
    if (code === undefined) throw error;
    throw new InvalidInput([], `${path} cannot be written (${code}). Name another file with --out.`);
  }
}

function formatHistory(asOf: string, orders: number, census: Census, out: string | undefined): string {
  const rows = [...census].sort(([, one], [, other]) => other - one);
  const documents =
    out === undefined ? 'The orders themselves: add --json, or --out <file>.' : `Wrote them to ${out}, one a line.`;
  return `${counted(orders, 'order')} as of ${asOf}${orders === 0 ? '.' : ':'}\n${table(rows)}${documents}\n`;
}
