import type { Config } from '@waybill/infra/process/config.js';
import { LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { StreamReader, LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { withProgress, type Context } from '../context.js';
import { withReadModels } from './engines.js';

/** Brings the read models up to the log, where no server runs that would. Throws `Unavailable` where one stands still, `LogMismatch` where one is not of this log. */
export async function projectLog(config: Config, store: StreamReader & LogReader, context: Context): Promise<void> {
  const { clock } = context;
  const { halted } = await withReadModels(config, (readStore, live) =>
    withProgress(context, 'Projecting', (progress) =>
      catchUp(live, { store, readStore, clock }, { progress: (position, head) => progress.advance(position, head) }),
    ),
  );
  const [first] = halted;
  if (first === undefined) return;
  if (first.error instanceof LogMismatch) throw first.error;
  throw new Unavailable(
    'read models',
    `The log is complete, but the read model ${first.projection} stands still at position ${first.position}: ${first.error.message}`,
    { cause: first.error },
  );
}
