import { backOffDelay, type BackOff } from '@waybill/shared-kernel/back-off.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionOf } from '@waybill/shared-kernel/partition.js';
import type { Broker, Message } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness, Timer } from '@waybill/shared-kernel/ports/clock.js';
import { beginning, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore, RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';

export interface RelayMeans {
  readonly store: Pick<EventStore, 'subscribe'>;
  readonly broker: Pick<Broker, 'publish'>;
  readonly checkpoints: Pick<ReadStore, 'relayCheckpoint' | 'saveRelayCheckpoint'>;
  readonly timer: Timer;
  readonly randomness: Randomness;
  /** Told of each fault after which it tries again. */
  readonly report?: (fault: Error) => void;
}

export interface RelayTuning {
  /** Most events that are published together. */
  readonly batch: number;
  /**
   * Milliseconds it waits after a batch that was not full before it looks for the next. The first event after a quiet time goes at once;
   * under load those of that moment go together, and every consumer's work is per batch.
   */
  readonly linger: number;
  readonly backOff: BackOff;
}

export const relayTuning: RelayTuning = { batch: 1000, linger: 10, backOff: { first: 50, most: 10_000 } };

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
  const finished = run();

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted;) {
      try {
        let checkpoint = await means.checkpoints.relayCheckpoint();
        ({ position } = checkpoint);
        for await (const { events } of means.store.subscribe(position, tuning.batch, stopping.signal)) {
          if (events.length === 0) continue;
          checkpoint = await relayBatch(events, checkpoint, means);
          ({ position } = checkpoint);
          failures = 0;
          if (tuning.linger > 0 && events.length < tuning.batch)
            await means.timer.sleep(tuning.linger, stopping.signal);
        }
        if (!isStopping()) throw new Unavailable('event store', 'The subscription to the log ended.');
      } catch (error) {
        if (isStopping()) return;
        means.report?.(error instanceof Error ? error : new Error(String(error)));
        await means.timer.sleep(backOffDelay(tuning.backOff, failures, means.randomness), stopping.signal);
        failures += 1;
      }
    }
  }

  return {
    position: () => position,
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

/** The step: publishes events that follow the checkpoint, then moves it behind them. */
export async function relayBatch(
  events: readonly RecordedEvent[],
  checkpoint: RelayCheckpoint,
  { broker, checkpoints }: Pick<RelayMeans, 'broker' | 'checkpoints'>,
): Promise<RelayCheckpoint> {
  const { messages, reached } = link(events, checkpoint);
  await broker.publish(messages);
  await checkpoints.saveRelayCheckpoint(reached);
  return reached;
}

/** Links each event to the one before it in its partition, and says where that leads. */
export function link(
  events: readonly RecordedEvent[],
  checkpoint: RelayCheckpoint,
): { readonly messages: readonly Message[]; readonly reached: RelayCheckpoint } {
  const heads = { ...checkpoint.heads };
  const messages = events.map((event): Message => {
    const partition = partitionOf(event.partitionKey);
    const previous = heads[partition]?.position ?? beginning;
    heads[partition] = event;
    return { event, partition, previous };
  });
  for (const [partition, { position, recordedAt }] of Object.entries(heads)) {
    heads[Number(partition)] = { position, recordedAt };
  }
  return { messages, reached: { position: events.at(-1)?.position ?? checkpoint.position, heads } };
}
