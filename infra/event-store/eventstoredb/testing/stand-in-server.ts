import { StreamsService, type IStreamsServer } from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type {
  AppendReq,
  ReadReq as ReadRequest,
  ReadResp as ReadResponse,
} from '@eventstore/db-client/generated/streams_pb.js';
import {
  ServerFeaturesService,
  type IServerFeaturesServer,
} from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
// Generated so that Node does not see what they export.
import shared from '@eventstore/db-client/generated/shared_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerReadableStream,
  type ServerWritableStream,
} from '@grpc/grpc-js';

const { Empty, StreamIdentifier, UUID } = shared;
const { AppendResp, ReadReq, ReadResp } = streams;
type AppendResponse = InstanceType<typeof AppendResp>;

interface Row {
  /** Byte offset: rises, with gaps. */
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
  readonly created: number;
  /** Which append it came with. */
  readonly append: number;
}

type ReadCall = ServerWritableStream<ReadRequest, ReadResponse>;

/** What the server is to do with the next append: store it and lose the answer, or lose it before it is stored. */
export type Loss = 'answer' | 'append';

/**
 * Speaks as much of EventStoreDB's protocol as the adapter uses, the way a real 23.10 was seen to behave: what stands
 * in for it where there is none. It shows what the adapter makes of a server like that, not what a server does.
 */
export class StandInServer {
  /** Bytes it takes in one append. */
  largestAppend = 1024 * 1024;
  readonly #port: number;
  readonly #rows: Row[] = [];
  readonly #streams = new Map<string, Row[]>();
  readonly #subscribers = new Map<ReadCall, RegExp>();
  #server: Server;
  #lose: Loss | undefined;
  #reads = 0;
  #appends = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async listen(): Promise<StandInServer> {
    const server = new Server();
    const port = await bind(server, 0);
    const standIn = new StandInServer(server, port);
    standIn.#serve();
    return standIn;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `esdb://127.0.0.1:${this.#port}?tls=false`;
  }

  /** Records in its log. */
  get records(): number {
    return this.#rows.length;
  }

  /** Subscriptions open now. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Reads begun since it is there. */
  get reads(): number {
    return this.#reads;
  }

  /** Ends every connection; nothing listens until `restart`. Its log stays. */
  kill(): void {
    this.#server.forceShutdown();
    this.#subscribers.clear();
  }

  async restart(): Promise<void> {
    this.#server = new Server();
    this.#serve();
    await bind(this.#server, this.#port);
  }

  /** Subscribers are told nothing any more, but not cut off; those that come later are. */
  silence(): void {
    this.#subscribers.clear();
  }

  /** Cuts all subscribers off as a real one does those that are too slow. */
  drop(): void {
    for (const call of this.#subscribers.keys()) {
      call.emit('error', { code: status.ABORTED, details: 'Operation timed out' });
    }
    this.#subscribers.clear();
  }

  loseNext(what: Loss): void {
    this.#lose = what;
  }

  /** Records that are not ours, such as the server's own statistics. */
  write(stream: string, type: string, count: number, metadata = '{}'): void {
    for (let index = 0; index < count; index += 1) {
      const id = '00000000-0000-4000-8000-000000000001';
      this.#add(stream, { id, type, metadata: Buffer.from(metadata), data: Buffer.from('{}') });
    }
  }

  #serve(): void {
    const implementation: IStreamsServer = {
      append: (call, answer) => this.#append(call, answer),
      read: (call) => this.#read(call),
      delete: (_call, answer) => answer({ code: status.UNIMPLEMENTED }),
      tombstone: (_call, answer) => answer({ code: status.UNIMPLEMENTED }),
      // Offered, as real ones do, but whoever comes this way shares a table of pending appends with all others.
      batchAppend: (call) => call.emit('error', { code: status.UNIMPLEMENTED, details: 'an append came by batch' }),
    };
    const batchAppend = new features.SupportedMethod();
    batchAppend.setServiceName('event_store.client.streams.Streams').setMethodName('BatchAppend');
    const supported = new features.SupportedMethods()
      .setMethodsList([batchAppend])
      .setEventStoreServerVersion('23.10.8');
    const offers: IServerFeaturesServer = { getSupportedMethods: (_call, answer) => answer(null, supported) };
    this.#server.addService(StreamsService, implementation);
    this.#server.addService(ServerFeaturesService, offers);
  }

  #append(call: ServerReadableStream<AppendReq, AppendResponse>, answer: sendUnaryData<AppendResponse>): void {
    const requests: AppendReq[] = [];
    call.on('data', (request: AppendReq) => requests.push(request));
    call.on('end', () => {
      // A call cut on its way ends too, and may have brought a part of its events: a server stores all of them or none.
      setImmediate(() => {
        if (!call.cancelled && requests.length > 1) this.#take(requests, answer);
      });
    });
  }

  #take(requests: readonly AppendReq[], answer: sendUnaryData<AppendResponse>): void {
    const lose = this.#lose;
    this.#lose = undefined;
    const lost = { code: status.UNAVAILABLE, details: 'Connection dropped' };
    if (lose === 'append') answer(lost);
    else {
      const response = this.#answerTo(requests);
      if (lose === 'answer') answer(lost);
      else if (response instanceof Metadata) answer({ code: status.INVALID_ARGUMENT, metadata: response });
      else answer(null, response);
    }
  }

  #answerTo(requests: readonly AppendReq[]): AppendResponse | Metadata {
    const options = requests[0]!.getOptions()!;
    const stream = textOf(options.getStreamIdentifier()!.getStreamName_asU8());
    const expected = options.hasNoStream() ? -1 : Number(options.getRevision());
    const messages = requests.slice(1).map((request) => request.getProposedMessage()!);
    const proposed = messages.map((message) => ({
      id: message.getId()!.getString(),
      type: message.getMetadataMap().get('type') ?? '',
      metadata: message.getCustomMetadata_asU8(),
      data: message.getData_asU8(),
    }));
    const size = proposed.reduce(
      (sum, { type, metadata, data }) => sum + type.length * 2 + metadata.length + data.length,
      0,
    );
    if (size > this.largestAppend) {
      const refusal = new Metadata();
      refusal.set('exception', 'maximum-append-size-exceeded');
      refusal.set('maximum-append-size', String(this.largestAppend));
      return refusal;
    }
    const present = this.#streams.get(stream) ?? [];
    const current = present.length - 1;
    if (expected === current) {
      this.#appends += 1;
      const rows = proposed.map((one) => this.#add(stream, one));
      return success(rows.at(-1)!);
    }
    // The same events again, or the first of them; the last of an append alone are refused.
    const there = present.slice(expected + 1, expected + 1 + proposed.length);
    const isRepeat = expected < current && proposed.every(({ id }, index) => there[index]?.id === id);
    const isTail = present[expected]?.append === there[0]?.append;
    return isRepeat && !isTail ? success(there.at(-1)!) : wrongVersion(expected, current);
  }

  #add(stream: string, event: Pick<Row, 'id' | 'type' | 'metadata' | 'data'>): Row {
    const last = this.#rows.at(-1);
    const rows = this.#streams.get(stream) ?? [];
    const position = (last?.position ?? 1_000) + 100 + event.data.length;
    const row = { position, stream, revision: rows.length, ...event, created: Date.now(), append: this.#appends };
    this.#rows.push(row);
    this.#streams.set(stream, rows);
    rows.push(row);
    for (const [call, filter] of this.#subscribers) if (filter.test(row.type)) call.write(response(row));
    return row;
  }

  #read(call: ReadCall): void {
    this.#reads += 1;
    const options = call.request.getOptions()!;
    if (options.hasSubscription()) this.#subscribe(call, options);
    else {
      const rows = options.hasAll() ? this.#readAll(options) : this.#readStream(options);
      if (rows === undefined) call.write(streamNotFound(options));
      else for (const row of rows.slice(0, Number(options.getCount()))) call.write(response(row));
      call.end();
    }
  }

  #subscribe(call: ReadCall, options: ReadRequest.Options): void {
    const filter = new RegExp(options.getFilter()!.getEventType()!.getRegex());
    const all = options.getAll()!;
    const after = all.hasPosition() ? Number(all.getPosition()!.getCommitPosition()) : 0;
    this.#subscribers.set(call, filter);
    call.on('cancelled', () => this.#subscribers.delete(call));
    const confirmation = new ReadResp.SubscriptionConfirmation();
    call.write(new ReadResp().setConfirmation(confirmation.setSubscriptionId('stand-in')));
    // Exclusive, unlike reading.
    for (const row of this.#rows) if (row.position > after && filter.test(row.type)) call.write(response(row));
  }

  #readAll(options: ReadRequest.Options): readonly Row[] {
    const all = options.getAll()!;
    const position = all.hasPosition() ? Number(all.getPosition()!.getCommitPosition()) : undefined;
    if (options.getReadDirection() === ReadReq.Options.ReadDirection.FORWARDS) {
      return this.#rows.filter((row) => row.position >= (position ?? 0));
    }
    return this.#rows.filter((row) => row.position <= (position ?? Infinity)).reverse();
  }

  #readStream(options: ReadRequest.Options): readonly Row[] | undefined {
    const of = options.getStream()!;
    const stream = textOf(of.getStreamIdentifier()!.getStreamName_asU8());
    const rows = this.#streams.get(stream);
    if (rows === undefined) return undefined;
    if (options.getReadDirection() === ReadReq.Options.ReadDirection.FORWARDS) {
      return rows.slice(of.hasRevision() ? Number(of.getRevision()) : 0);
    }
    return rows.slice(0, of.hasRevision() ? Number(of.getRevision()) + 1 : rows.length).reverse();
  }
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}

function response(row: Row): ReadResponse {
  const event = new ReadResp.ReadEvent.RecordedEvent();
  event.setId(new UUID().setString(row.id));
  event.setStreamIdentifier(new StreamIdentifier().setStreamName(Buffer.from(row.stream)));
  event.setStreamRevision(String(row.revision));
  event.setCommitPosition(String(row.position)).setPreparePosition(String(row.position));
  event.getMetadataMap().set('type', row.type).set('content-type', 'application/json');
  // In ticks of 100 ns.
  event.getMetadataMap().set('created', String(BigInt(row.created) * 10_000n));
  event.setCustomMetadata(row.metadata).setData(row.data);
  const readEvent = new ReadResp.ReadEvent().setEvent(event).setCommitPosition(String(row.position));
  return new ReadResp().setEvent(readEvent);
}

function streamNotFound(options: ReadRequest.Options): ReadResponse {
  const notFound = new ReadResp.StreamNotFound().setStreamIdentifier(options.getStream()!.getStreamIdentifier());
  return new ReadResp().setStreamNotFound(notFound);
}

function success({ revision, position }: Row): AppendResponse {
  const at = new AppendResp.Position().setCommitPosition(String(position)).setPreparePosition(String(position));
  return new AppendResp().setSuccess(new AppendResp.Success().setCurrentRevision(String(revision)).setPosition(at));
}

function wrongVersion(expected: number, current: number): AppendResponse {
  const wrong = new AppendResp.WrongExpectedVersion();
  if (current === -1) wrong.setCurrentNoStream(new Empty());
  else wrong.setCurrentRevision(String(current));
  if (expected === -1) wrong.setExpectedNoStream(new Empty());
  else wrong.setExpectedRevision(String(expected));
  return new AppendResp().setWrongExpectedVersion(wrong);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
