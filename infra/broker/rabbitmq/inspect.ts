import { asError } from '@waybill/shared-kernel/as-error.js';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import { connect, type Channel, type ChannelModel } from 'amqplib';
import { systemTimer } from '../../clock/system.js';
import { Names } from './names.js';
import { codeOf, notFound, preconditionFailed, queueProperties } from './topology.js';
import { rabbitMqTuning } from './tuning.js';

export interface InspectedQueue {
  readonly queue: QueueName;
  /** On the server. */
  readonly name: string;
  /** `undefined`: it is not there. */
  readonly found: FoundQueue | undefined;
}

export interface FoundQueue {
  /** That wait, without those handed out. */
  readonly messages: number;
  readonly consumers: number;
  /** Why it is not as it would be declared, in the server's words, where that was asked. */
  readonly otherwise: string | undefined;
}

/** What a server shows of itself to whoever speaks AMQP. */
export interface InspectedBroker {
  readonly product: string;
  readonly version: string;
  readonly roundTripMs: number;
  readonly queues: readonly InspectedQueue[];
  /** Messages among the dead letters; `undefined`: there is no such queue. */
  readonly deadLetters: number | undefined;
  /** Why the server takes no messages now: an alarm of memory or disk. */
  readonly blocked: string | undefined;
}

export interface InspectOptions {
  readonly url: string;
  readonly prefix?: string;
  readonly queues: readonly QueueName[];
  /**
   * Whether each queue that is there is compared with how it would be declared: by declaring it, for there is no other
   * way to ask. One that is removed at that very moment is there again then, and nobody knows of it; so only where it is
   * worth that, and not again and again.
   */
  readonly compare?: boolean;
  /** What all of it may take. */
  readonly answerTimeoutMs: number;
  /** How long it waits for the server to say that it is blocked, which it does upon the first message only. */
  readonly blockedWithinMs?: number;
}

/** Looks at a broker and its queues, and changes nothing (but see `compare`). Rejects with what the client throws, or when it takes long. */
export async function inspectRabbitMq(options: InspectOptions): Promise<InspectedBroker> {
  const [line, over] = [new AbortController(), new AbortController()];
  const looking = inspect(options, line.signal);
  try {
    const seen = await Promise.race([looking, systemTimer.sleep(options.answerTimeoutMs, over.signal)]);
    if (seen === undefined) throw new Error(`no answer within ${options.answerTimeoutMs} ms`);
    return seen;
  } finally {
    looking.catch(() => undefined);
    over.abort();
    // To say goodbye could take for ever: a server that is blocked does not listen.
    line.abort();
  }
}

/** `line` cuts its connections. */
async function inspect(options: InspectOptions, line: AbortSignal): Promise<InspectedBroker> {
  const names = new Names(options.prefix ?? 'waybill');
  const model = await connectTo(options, line);
  const { serverProperties } = model.connection;
  const began = performance.now();
  const channels = new Channels(model);
  await channels.ask(() => Promise.resolve());
  const roundTripMs = performance.now() - began;
  const queues: InspectedQueue[] = [];
  for (const queue of options.queues) queues.push(await inspectQueue(channels, queue, names, options.compare ?? false));
  const deadLetters = await countOf(channels, names.deadLetters);
  return {
    product: serverProperties.product,
    version: serverProperties.version,
    roundTripMs,
    queues,
    deadLetters: deadLetters?.messageCount,
    blocked: await blockedOf(options, line),
  };
}

async function connectTo({ url, answerTimeoutMs }: InspectOptions, signal: AbortSignal): Promise<ChannelModel> {
  const options = { signal, timeout: answerTimeoutMs, clientProperties: { connection_name: 'waybill doctor' } };
  const model = await connect(url, options);
  // Whoever waits for an answer gets the fault.
  model.on('error', () => undefined);
  return model;
}

/** An error closes a channel, so another is opened for the next question. */
class Channels {
  #channel: Channel | undefined;

  constructor(private readonly model: ChannelModel) {}

  async ask<T>(question: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = (this.#channel ??= await this.#open());
    return question(channel);
  }

  async #open(): Promise<Channel> {
    const channel = await this.model.createChannel();
    channel.on('error', () => undefined);
    channel.once('close', () => (this.#channel = undefined));
    return channel;
  }
}

async function inspectQueue(
  channels: Channels,
  queue: QueueName,
  names: Names,
  compare: boolean,
): Promise<InspectedQueue> {
  const name = names.queue(queue);
  const count = await countOf(channels, name);
  if (count === undefined) return { queue, name, found: undefined };
  const otherwise = compare ? await differenceOf(channels, name) : undefined;
  return { queue, name, found: { messages: count.messageCount, consumers: count.consumerCount, otherwise } };
}

async function countOf(
  channels: Channels,
  name: string,
): Promise<{ readonly messageCount: number; readonly consumerCount: number } | undefined> {
  try {
    return await channels.ask((channel) => channel.checkQueue(name));
  } catch (error) {
    if (codeOf(error) === notFound) return undefined;
    throw error;
  }
}

/** Declaring what is there as it is changes nothing; as it is not, it is refused. */
async function differenceOf(channels: Channels, name: string): Promise<string | undefined> {
  try {
    await channels.ask((channel) => channel.assertQueue(name, queueProperties(rabbitMqTuning.bounds)));
    return undefined;
  } catch (error) {
    if (codeOf(error) !== preconditionFailed) throw error;
    return asError(error).message;
  }
}

/** By a message to nobody, on a connection of its own: once it is blocked, a server reads nothing more of it. */
async function blockedOf(options: InspectOptions, line: AbortSignal): Promise<string | undefined> {
  const answered = new AbortController();
  let reason: string | undefined;
  const model = await connectTo(options, line);
  model.once('blocked', (why: string) => {
    reason = why;
    answered.abort();
  });
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  channel.publish('', 'waybill.nobody', Buffer.alloc(0));
  await systemTimer.sleep(options.blockedWithinMs ?? 300, answered.signal);
  return reason;
}
