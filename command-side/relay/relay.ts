import { asError } from '@waybill/shared-kernel/as-error.js';
import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { linkChain } from '@waybill/shared-kernel/link-chain.js';
import { identityOf } from '@waybill/shared-kernel/log-identity.js';
import type { Progress } from '@waybill/shared-kernel/standstill.js';
import type { Broker } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { Pipeline } from './pipeline.js';
import { vigilantLog } from './vigilant-log.js';

export interface RelayMeans {
  readonly store: Pick<EventStore, 'subscribe' | 'readAll' | 'head'>;
  readonly broker: Pick<Broker, 'publish'>;
  readonly checkpoints: Pick<ReadStore, 'relayCheckpoint' | 'saveRelayCheckpoint'>;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Told of each fault after which it tries again. */
  readonly report?: (fault: Error, of: string) => void;
}

export interface RelayTuning {
  /** Most events that are published together. */
  readonly batch: number;
  /** Most batches under way: published and not confirmed yet. */
  readonly ahead: number;
  /** Milliseconds between two saves of the checkpoint. What was confirmed since the last is published again after a crash. */
  readonly rest: number;
  /**
   * Milliseconds it waits after a batch that was not full before it looks for the next. The first event after a quiet time goes at once;
   * under load those of that moment go together, and every consumer's work is per batch.
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

/** How far a relay that works has come on the way to the end of its log. */
export async function relayProgress(relay: Relay, log: Pick<EventStore, 'head'>): Promise<Progress> {
  const position = relay.position();
  return { name: 'relay', position, isUpToDate: position !== undefined && position >= (await log.head()) };
}

export interface Relay {
  /** Everything up to here is with the broker; `undefined` until the checkpoint was read. */
  position(): number | undefined;
  stop(): Promise<void>;
}

/**
 * Carries the log to the broker until it is stopped: the event store is the outbox. Every event reaches the broker at
 * least once and in order; after a crash or a fault it goes on from its checkpoint, so some come twice and none is
 * left out.
 */
export function startRelay(means: RelayMeans, tuning: RelayTuning = relayTuning): Relay {
  const stopping = new AbortController();
  const isStopping = (): boolean => stopping.signal.aborted;
  let position: number | undefined;
  let failures = 0;
  const finished = run();

  async function run(): Promise<void> {
    while (!isStopping()) {
      try {
        await carry();
        if (!isStopping()) throw new Unavailable('event store', 'The subscription to the log ended.');
      } catch (error) {
        if (isStopping()) return;
        means.report?.(asError(error), 'relay');
        await means.timer.sleep(backOffDelay(tuning.backOff, failures, means.randomness), stopping.signal);
        failures += 1;
      }
    }
  }

  /** From the checkpoint on, until it is to stop. Rejects with the first fault. */
  async function carry(): Promise<void> {
    let checkpoint = await means.checkpoints.relayCheckpoint();
    let log: string | undefined;
    ({ position } = checkpoint);
    const failing = new AbortController();
    const pipeline = new Pipeline(
      {
        ...means,
        moved: (to) => {
          position = to;
        },
        saved: () => {
          failures = 0;
        },
        failed: (reason) => failing.abort(reason),
      },
      tuning.rest,
    );
    const over = AbortSignal.any([stopping.signal, failing.signal]);
    try {
      for await (const { events } of vigilantLog(means.store, means.timer).subscribe(position, tuning.batch, over)) {
        if (events.length === 0) continue;
        log ??= await identityOf(means.store);
        if (log === undefined) throw new Unavailable('event store', 'The log does not show its first event yet.');
        const { messages, reached } = linkChain(events, checkpoint, log);
        pipeline.publish(messages, reached);
        checkpoint = reached;
        await pipeline.atMost(tuning.ahead - 1, over);
        if (tuning.linger > 0 && events.length < tuning.batch) await means.timer.sleep(tuning.linger, over);
      }
      if (isStopping()) await farewell(pipeline);
      failing.signal.throwIfAborted();
    } finally {
      pipeline.abandon();
    }
  }

  /** Waits until all is confirmed and saved, but not for ever: the broker may be gone. */
  async function farewell(pipeline: Pipeline): Promise<void> {
    const parting = new AbortController();
    const impatient = means.timer.sleep(tuning.farewell, parting.signal);
    await Promise.race([pipeline.finish(parting.signal), impatient]);
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
