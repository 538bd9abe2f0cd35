import type { BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { BatchCutter } from '@waybill/shared-kernel/subscriptions/event-batches.js';
import { notedIdentity, renewIdentity } from '@waybill/shared-kernel/subscriptions/log-identity.js';
import {
  judgePosition,
  mayMoveOn,
  requireFit,
  sharedPart,
  Trail,
  type LogPosition,
} from '@waybill/shared-kernel/subscriptions/log-position.js';
import type { Progress } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import type { BatchPublisher } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { LogPage, LogReader, Subscribable, LogHead } from '@waybill/shared-kernel/ports/event-store.js';
import type { RelayCheckpoint, RelayCheckpoints, LogIdentityStore } from '@waybill/shared-kernel/ports/read-store.js';
import { retryUntilAborted } from '@waybill/shared-kernel/retry.js';
import { CheckpointSaver } from './checkpoint-saver.js';
import { watchedSubscription } from './watched-subscription.js';

export interface RelayDependencies {
  readonly store: LogReader & Subscribable;
  readonly broker: BatchPublisher;
  readonly checkpoints: RelayCheckpoints & LogIdentityStore;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Called with each fault after which it tries again. */
  readonly report?: (fault: Error, of: string) => void;
  /** Told of each page behind a position before it is published. */
  readonly seen?: ((after: number, page: LogPage) => void) | undefined;
}

export interface RelayTuning {
  /** The most events of a page of the log; a page is published together. */
  readonly batch: number;
  /** The publish window: the most pages that are published and not confirmed yet. */
  readonly ahead: number;
  /** Milliseconds between two saves of the checkpoint. What was confirmed since the last is published again after a crash. */
  readonly rest: number;
  /**
   * Milliseconds it waits at most after a page that led to the end of the log before it looks for the next: a quarter for each
   * of its events. What comes after a quiet time, and while little comes, goes at once; under load those of that moment go
   * together, and every consumer's work is per batch.
   */
  readonly linger: number;
  /** Milliseconds that a stop waits until what is under way is confirmed and the checkpoint behind it. */
  readonly farewell: number;
  readonly backOff: BackOff;
}

export const relayTuning: RelayTuning = {
  batch: 1000,
  ahead: 1,
  rest: 50,
  linger: 10,
  farewell: 2000,
  backOff: { first: 50, most: 10_000 },
};

/**
 * With a broker that is a server it must not wait for each confirm; and that wait makes batches grow as well, so less
 * lingering does.
 */
export const serverRelayTuning: RelayTuning = { ...relayTuning, ahead: 4, linger: 5 };

/** How far an active relay has come on the way to the end of its log. */
export async function relayProgress(relay: Relay, log: LogHead): Promise<Progress> {
  const position = relay.position();
  return { name: 'relay', position, isUpToDate: position !== undefined && position >= (await log.head()) };
}

export interface Relay {
  /** Everything up to here is with the broker; `undefined` until the checkpoint was read. */
  position(): number | undefined;
  stop(): Promise<void>;
}

/**
 * Publishes the log to the broker until it is stopped; the event store is the outbox. Every event reaches the broker at
 * least once and in order. After a crash or a fault the relay goes on from its checkpoint, so some events come twice
 * and none is left out. It waits for no consumer.
 */
export function startRelay(dependencies: RelayDependencies, tuning: RelayTuning = relayTuning): Relay {
  const { store, broker, checkpoints, timer } = dependencies;
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let position: number | undefined;
  const finished = retryUntilAborted(
    async (progressed) => {
      await carry(progressed);
      if (!isStopping()) throw new Unavailable('event store', 'The subscription to the log ended.');
    },
    stopping.signal,
    {
      ...{ backOff: tuning.backOff, timer, randomness: dependencies.randomness },
      failed: (fault) => dependencies.report?.(fault, 'relay'),
    },
  );

  /** From the checkpoint on, until it is to stop. Rejects with the first fault. */
  async function carry(progressed: () => void): Promise<void> {
    const checkpoint = await fittingCheckpoint();
    const since = checkpoint.through;
    position = since;
    /** Behind the last page that was published. */
    let trail = Trail.from(checkpoint);
    let cutter: BatchCutter | undefined;
    /** What the cutter begins with, behind the marks that were met before there was one. */
    let cutFrom = since;
    const failing = new AbortController();
    const failed = (reason: unknown): void => failing.abort(reason);
    const over = AbortSignal.any([stopping.signal, failing.signal]);
    let hasEnded = false;
    const saver = new CheckpointSaver(
      {
        timer,
        failed,
        save: async (reached) => {
          await checkpoints.saveRelayCheckpoint({ ...reached, heads: cutter?.heads() ?? checkpoint.heads });
          progressed();
        },
      },
      tuning.rest,
    );
    /** Of each page under way, the oldest first: resolves when it and all before it are confirmed. */
    const underWay: Promise<void>[] = [];
    let confirmed = Promise.resolve();

    /** The checkpoint moves in the order of the log, behind what is confirmed and never past what is not. */
    function publish({ events, marks, through }: LogPage): void {
      trail = trail.pass(events, through);
      const reached = trail.position();
      const batches = cutter?.cut(events, marks) ?? [];
      const published = batches.length === 0 ? undefined : broker.publish(batches);
      confirmed = Promise.all([published, confirmed]).then(() => {
        if (hasEnded) return;
        position = through;
        saver.reach(reached, events.length > 0);
      });
      confirmed.catch(failed);
      underWay.push(confirmed);
    }

    try {
      const verify = (): Promise<void> => requireFit(store, trail.position(), 'The relay');
      for await (const page of watchedSubscription(store, timer, since, tuning.batch, over, verify)) {
        // The first may say that nothing has come since.
        if (page.through === since) continue;
        // Nothing of another log goes out under the name of the one before.
        await unless(over, mayPublish(trail.position()));
        if (over.aborted) break;
        if (page.events.length > 0) cutter ??= new BatchCutter(await shownIdentity(), cutFrom);
        else if (page.marks.length > 0) cutFrom = page.through;
        dependencies.seen?.(trail.through, page);
        publish(page);
        if (underWay.length >= tuning.ahead) await unless(over, underWay.shift());
        const lingerMs = Math.min(tuning.linger, Math.floor(page.events.length / 4));
        if (lingerMs > 0 && page.isEnd) await timer.sleep(lingerMs, over);
      }
      if (isStopping()) await farewell(confirmed.then(() => saver.finish()));
      failing.signal.throwIfAborted();
    } finally {
      hasEnded = true;
      saver.abandon();
    }
  }

  /**
   * The position from which it goes on in this log. If the checkpoint belongs to another log, or to a later state of
   * this one, that is where both are the same, and the log gets a new identity, so that older messages are not taken
   * for its own.
   */
  async function fittingCheckpoint(): Promise<RelayCheckpoint> {
    const noted = await checkpoints.relayCheckpoint();
    const judgement = await judgePosition(store, noted);
    const { fit, why } = judgement;
    if (fit === 'fits') return noted;
    const position = sharedPart(noted, judgement);
    dependencies.report?.(
      new Error(`Its checkpoint is not of this log (${why ?? fit}). It goes on from ${position.through}.`),
      'relay',
    );
    await renewIdentity({ store, readStore: checkpoints }, dependencies.randomness);
    await checkpoints.resetRelayCheckpoint(noted, { ...position, heads: {} });
    return { ...position, heads: {} };
  }

  async function mayPublish(position: LogPosition): Promise<void> {
    if (!(await mayMoveOn(store, position))) await requireFit(store, position, 'The relay');
  }

  async function shownIdentity(): Promise<string> {
    const log = await notedIdentity({ store, readStore: checkpoints })();
    if (log === undefined) throw new Unavailable('event store', 'The log does not show its first event yet.');
    return log;
  }

  /** Waits until all is confirmed and saved, up to a time limit: the broker may be gone. */
  async function farewell(done: Promise<void>): Promise<void> {
    const parting = new AbortController();
    await Promise.race([done.catch(() => undefined), timer.sleep(tuning.farewell, parting.signal)]);
    parting.abort();
  }

  return {
    position: () => position,
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

/** Waits for something until the signal aborts; rejects as it does. */
function unless(signal: AbortSignal, work: Promise<void> | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      signal.removeEventListener('abort', end);
      resolve();
    };
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
    Promise.resolve(work).then(end, (reason: unknown) => {
      signal.removeEventListener('abort', end);
      reject(reason);
    });
  });
}
