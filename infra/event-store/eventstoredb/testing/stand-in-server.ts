import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import {
  gossipService,
  serverFeaturesService,
  streamsService,
  type AppendRequest,
  type AppendResponse,
  type ClusterInfo,
  type DeleteRequest,
  type DeleteResponse,
  type Empty,
  type ExpectedOptions,
  type Expression,
  type Position,
  type ReadOptions,
  type ReadRequest,
  type ReadResponse,
  type StreamIdentifier,
  type SupportedMethods,
  type Uuid,
} from './protocol.js';
import { StandInLog, type AppendOutcome, type Expected, type StandInRecord } from './stand-in-log.js';

type AppendCall = ServerReadableStream<AppendRequest, AppendResponse>;
type DeleteCall = ServerUnaryCall<DeleteRequest, DeleteResponse>;
type ReadCall = ServerWritableStream<ReadRequest, ReadResponse>;

/** What the server is to do with the next append: store it and lose the answer, or lose it before it is stored. */
export type Loss = 'answer' | 'append';

/** Of nodes that are processes of their own: which of them this is, and where the others are. */
export interface Membership {
  readonly port: number;
  /** Of all nodes, this one among them. */
  readonly ports: readonly number[];
  /** The port of the node that leads now. */
  readonly leaderPort: () => number;
}

/** A refusal as the protocol has it: a code, and in the trailers what kind of exception it was. */
interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly metadata?: Metadata;
}

/**
 * Speaks as much of EventStoreDB's protocol as the adapter uses, the way a real 23.10 was seen to behave: what stands
 * in for it where there is none. It shows what the adapter makes of a server like that, not what a server does.
 */
export class StandInServer {
  /** Bytes it takes in one append. */
  largestAppend = 1024 * 1024;
  /** After how long a repeat that was dropped, because its original was under way, ends without having been answered. */
  dropAfterMs = 2_000;
  readonly #port: number;
  readonly #membership: Membership | undefined;
  #log: StandInLog;
  readonly #subscribers = new Map<ReadCall, () => void>();
  /** Of appends that were taken and are not stored yet: their stream and the id of their first event. */
  readonly #underWay = new Set<string>();
  #server: Server;
  /** `undefined`: this node leads. */
  #leader: StandInServer | undefined;
  /** All nodes, this one among them. */
  #nodes: StandInServer[] = [this];
  #isFrozen = false;
  #lose: Loss | undefined;
  #hold: Promise<void> | undefined;
  #calls = 0;
  #reads = 0;
  readonly #tally = new Map<string, number>();
  /** Of all appends that came, as `#underWay` has them. */
  readonly #asked = new Set<string>();
  #dropped = 0;

  private constructor(server: Server, port: number, log: StandInLog, membership: Membership | undefined) {
    this.#server = server;
    this.#port = port;
    this.#log = log;
    this.#membership = membership;
  }

  /** On a free port of loopback. Without `membership` it leads, until `addFollower` and `lead` say otherwise. */
  static async listen(log = new StandInLog(), membership?: Membership): Promise<StandInServer> {
    const server = new Server();
    const port = await bind(server, 0);
    const standIn = new StandInServer(server, port, log, membership);
    standIn.#serve();
    return standIn;
  }

  /**
   * Another node, which follows this one: it has the log as it is now, and is behind from the next append on. Calls that
   * require the leader it sends there.
   */
  async addFollower(): Promise<StandInServer> {
    const follower = await StandInServer.listen(this.#log.copy());
    follower.#leader = this;
    this.#nodes.push(follower);
    follower.#nodes = this.#nodes;
    return follower;
  }

  /** Makes a follower the leader, as an election does, with everything that the one before had stored. */
  lead(): void {
    if (this.#leader === undefined) return;
    this.#log = this.#leader.#log.copy();
    this.#leader.#leader = this;
    this.#leader = undefined;
  }

  /** From now on nothing is answered, as when the process is stopped; connections stay. */
  freeze(): void {
    this.#isFrozen = true;
    this.#forgetSubscribers();
  }

  thaw(): void {
    this.#isFrozen = false;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `esdb://127.0.0.1:${this.#port}?tls=false`;
  }

  /** Records in its log. */
  get records(): number {
    return this.#log.size;
  }

  /** Subscriptions open now. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Calls that came since it is there, whatever became of them. */
  get calls(): number {
    return this.#calls;
  }

  /** Reads begun since it is there. */
  get reads(): number {
    return this.#reads;
  }

  /**
   * How many calls of each kind came since it is there: `append order` and `read order` by the stream's name up to its
   * first hyphen, `read log`, `read log backwards`, `subscribe`. An append that is sent again beside itself counts once.
   */
  get tally(): ReadonlyMap<string, number> {
    return new Map(this.#tally);
  }

  /** Appends that were taken and are not stored yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Repeats dropped since it is there, because their original was under way. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Ends every connection; nothing listens until `restart`. Its log stays. */
  kill(): void {
    this.#server.forceShutdown();
    this.#forgetSubscribers();
  }

  async restart(): Promise<void> {
    this.#server = new Server();
    this.#serve();
    await bind(this.#server, this.#port);
  }

  /** Subscribers are told nothing any more, but not cut off; those that come later are. */
  silence(): void {
    this.#forgetSubscribers();
  }

  /** Cuts all subscribers off as a real one does those that are too slow. */
  drop(): void {
    for (const call of this.#subscribers.keys()) {
      call.emit('error', { code: status.ABORTED, details: 'Operation timed out' });
    }
    this.#forgetSubscribers();
  }

  loseNext(what: Loss): void {
    this.#lose = what;
  }

  /** The next append stays under way, neither stored nor answered, until what this returns is called. */
  holdNext(): () => void {
    const { promise, resolve } = withResolver();
    this.#hold = promise;
    return resolve;
  }

  /** Records that are not ours, such as the server's own statistics. */
  write(stream: string, type: string, count: number, metadata = '{}', data = '{}'): void {
    this.#log.writeMany(stream, type, count, metadata, data);
  }

  /** Turns the standard projections on: from now on three to five links follow each event. */
  project(): void {
    this.#log.project();
  }

  /** Takes out of the log what was truncated or deleted. Positions and revisions of what stays are as they were. */
  scavenge(): void {
    this.#log.scavenge();
  }

  /** Puts the log back to where it had so many records, as a backup that is restored does. */
  restoreTo(records: number): void {
    this.#log.restoreTo(records);
  }

  #serve(): void {
    const streams: UntypedServiceImplementation = {
      Append: (call: AppendCall, answer: sendUnaryData<AppendResponse>) =>
        this.#admit(call, answer, () => this.#append(call, answer)),
      Read: (call: ReadCall) =>
        this.#admit(
          call,
          (refusal) => call.emit('error', refusal),
          () => this.#read(call),
        ),
      Delete: (call: DeleteCall, answer: sendUnaryData<DeleteResponse>) =>
        this.#admit(call, answer, () => this.#delete(call, answer, 'delete')),
      Tombstone: (call: DeleteCall, answer: sendUnaryData<DeleteResponse>) =>
        this.#admit(call, answer, () => this.#delete(call, answer, 'tombstone')),
      // Offered, as real ones do, but whoever comes this way shares a table of pending appends with all others.
      BatchAppend: (call: ReadCall) =>
        call.emit('error', { code: status.UNIMPLEMENTED, details: 'an append came by batch' }),
    };
    const supported: SupportedMethods = {
      methods: [{ serviceName: 'event_store.client.streams.Streams', methodName: 'BatchAppend' }],
      eventStoreServerVersion: '23.10.8',
    };
    this.#server.addService(streamsService, streams);
    this.#server.addService(serverFeaturesService, {
      GetSupportedMethods: (_: unknown, answer: sendUnaryData<SupportedMethods>) => answer(null, supported),
    });
    this.#server.addService(gossipService, {
      Read: (call: ServerUnaryCall<Empty, ClusterInfo>, answer: sendUnaryData<ClusterInfo>) =>
        this.#admit(call, answer, () => answer(null, this.#gossip())),
    });
  }

  #gossip(): ClusterInfo {
    const { port: leaderPort } = this.#leading;
    const frozen = this.#nodes.filter((node) => node.#isFrozen).map((node) => node.#port);
    return {
      members: (this.#membership?.ports ?? this.#nodes.map((node) => node.#port)).map((port) => ({
        instanceId: { string: `00000000-0000-4000-8000-${String(port).padStart(12, '0')}` },
        timeStamp: '0',
        state: port === leaderPort ? 'LEADER' : 'FOLLOWER',
        isAlive: !frozen.includes(port),
        httpEndPoint: { address: '127.0.0.1', port },
      })),
    };
  }

  get #leading(): { readonly port: number; readonly isThis: boolean } {
    if (this.#membership === undefined) {
      return { port: (this.#leader ?? this).#port, isThis: this.#leader === undefined };
    }
    const port = this.#membership.leaderPort();
    return { port, isThis: port === this.#membership.port };
  }

  /** Goes on with a call, unless this node is frozen or does not lead and the call requires that. */
  #admit({ metadata }: { readonly metadata: Metadata }, refuse: (refusal: Refusal) => void, goOn: () => void): void {
    this.#calls += 1;
    if (this.#isFrozen) return;
    const { port, isThis } = this.#leading;
    if (isThis || metadata.get('requires-leader')[0] !== 'true') goOn();
    else {
      const leader = { 'leader-endpoint-host': '127.0.0.1', 'leader-endpoint-port': String(port) };
      refuse(refusal(status.NOT_FOUND, 'not-leader', leader));
    }
  }

  #append(call: AppendCall, answer: sendUnaryData<AppendResponse>): void {
    const requests: AppendRequest[] = [];
    call.on('data', (request: AppendRequest) => requests.push(request));
    call.on('end', () => {
      const [first, second] = requests;
      if (first?.options === undefined || second?.proposedMessage === undefined) return;
      const stream = nameIn(first.options.streamIdentifier);
      const key = `${stream} ${idOf(second.proposedMessage.id)}`;
      if (!this.#asked.has(key)) this.#count(`append ${categoryIn(stream)}`);
      this.#asked.add(key);
      if (this.#underWay.has(key)) {
        this.#dropped += 1;
        setTimeout(() => answer({ code: status.ABORTED, details: 'Commit phase timeout' }), this.dropAfterMs).unref();
        return;
      }
      this.#underWay.add(key);
      const held = this.#hold ?? Promise.resolve();
      this.#hold = undefined;
      // A call cut on its way ends too, and may have brought a part of its events: a server stores all of them or none.
      setImmediate(() => {
        if (call.cancelled) this.#underWay.delete(key);
        else {
          void held.then(() => {
            this.#underWay.delete(key);
            this.#take(requests, answer);
          });
        }
      });
    });
  }

  #take(requests: readonly AppendRequest[], answer: sendUnaryData<AppendResponse>): void {
    const lose = this.#lose;
    this.#lose = undefined;
    const lost = { code: status.UNAVAILABLE, details: 'Connection dropped' };
    if (lose === 'append') answer(lost);
    else {
      const response = this.#answerTo(requests);
      if (lose === 'answer') answer(lost);
      else if ('code' in response) answer(response);
      else answer(null, response);
    }
  }

  #answerTo(requests: readonly AppendRequest[]): AppendResponse | Refusal {
    const options = requests[0]!.options!;
    const stream = nameIn(options.streamIdentifier);
    const expected = expectedOf(options);
    const proposed = requests.flatMap(({ proposedMessage }) => {
      if (proposedMessage === undefined) return [];
      const { id, metadata = {}, customMetadata = noBytes, data = noBytes } = proposedMessage;
      const contentType = metadata['content-type'] ?? '';
      return [{ id: idOf(id), type: metadata['type'] ?? '', contentType, metadata: customMetadata, data }];
    });
    const size = proposed.reduce(
      (sum, { type, metadata, data }) => sum + type.length * 2 + metadata.length + data.length,
      0,
    );
    if (size > this.largestAppend) {
      return refusal(status.INVALID_ARGUMENT, 'maximum-append-size-exceeded', {
        'maximum-append-size': String(this.largestAppend),
      });
    }
    const outcome = this.#log.append(stream, expected, proposed);
    switch (outcome.result) {
      case 'success':
        return success(outcome.revision, outcome.position);
      case 'wrong-revision':
        return wrongVersion(expected, outcome.current);
      case 'stream-deleted':
        return streamDeleted(stream);
    }
  }

  #delete({ request }: DeleteCall, answer: sendUnaryData<DeleteResponse>, how: 'delete' | 'tombstone'): void {
    const stream = nameIn(request.options.streamIdentifier);
    const outcome = this.#log[how](stream, expectedOf(request.options));
    if (outcome.result === 'success') answer(null, { position: positionAt(outcome.position ?? 0) });
    else answer(refusalTo(stream, outcome));
  }

  #read(call: ReadCall): void {
    this.#reads += 1;
    const { options } = call.request;
    if (options.subscription !== undefined) this.#count('subscribe');
    else if (options.all !== undefined) this.#count(`read log${isForwards(options) ? '' : ' backwards'}`);
    else this.#count(`read ${categoryIn(nameIn(options.stream!.streamIdentifier))}`);
    if (options.subscription !== undefined) this.#subscribe(call, options);
    else if (options.all !== undefined) this.#readAll(call, options);
    else this.#readStream(call, options);
  }

  #count(kind: string): void {
    this.#tally.set(kind, (this.#tally.get(kind) ?? 0) + 1);
  }

  #readAll(call: ReadCall, options: ReadOptions): void {
    const records = this.#log.readAll(fromOf(options), Number(options.count), isForwards(options), filterOf(options));
    if (records === 'refused') {
      call.emit('error', { code: status.UNKNOWN, details: 'Unexpected ReadAllResult: Error' });
      return;
    }
    for (const record of records) call.write(response(record));
    call.end();
  }

  #readStream(call: ReadCall, options: ReadOptions): void {
    const { streamIdentifier, revision } = options.stream!;
    const stream = nameIn(streamIdentifier);
    const from = revision === undefined ? undefined : BigInt(revision);
    const records = this.#log.readStream(stream, from, Number(options.count), isForwards(options));
    if (records === 'stream-deleted') {
      call.emit('error', streamDeleted(stream));
      return;
    }
    if (records === 'stream-not-found') call.write({ streamNotFound: { streamIdentifier } });
    else for (const record of records) call.write(response(record));
    call.end();
  }

  #subscribe(call: ReadCall, options: ReadOptions): void {
    const isWanted = filterOf(options);
    const before = this.#log.recordsAfter(fromOf(options));
    if (before === 'refused') {
      call.emit('error', { code: status.UNKNOWN, details: 'Exception was thrown by handler.' });
      return;
    }
    const tell = (record: StandInRecord): void => {
      if (isWanted(record)) call.write(response(record));
    };
    this.#subscribers.set(call, this.#log.listen(tell));
    call.on('cancelled', () => {
      this.#subscribers.get(call)?.();
      this.#subscribers.delete(call);
    });
    call.write({ confirmation: { subscriptionId: 'stand-in' } });
    before.forEach(tell);
  }

  #forgetSubscribers(): void {
    for (const stop of this.#subscribers.values()) stop();
    this.#subscribers.clear();
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

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve: () => resolve() };
}

const noBytes = new Uint8Array();

function nameIn({ streamName }: StreamIdentifier): string {
  return Buffer.from(streamName).toString('utf8');
}

function categoryIn(stream: string): string {
  return stream.split('-', 1)[0]!;
}

/** Clients send ids as text or as two signed halves. */
function idOf({ string, structured = {} }: Uuid): string {
  if (string !== undefined) return string;
  const { mostSignificantBits = '0', leastSignificantBits = '0' } = structured;
  const digits = [mostSignificantBits, leastSignificantBits]
    .map((bits) => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0'))
    .join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function expectedOf({ any, noStream, streamExists, revision }: ExpectedOptions): Expected {
  if (any !== undefined) return 'any';
  if (noStream !== undefined) return 'no-stream';
  // A zero that is set is sent, as it is one of several.
  return streamExists === undefined ? BigInt(revision ?? 0) : 'stream-exists';
}

function isForwards({ readDirection }: ReadOptions): boolean {
  return readDirection !== 'BACKWARDS';
}

function fromOf({ all }: ReadOptions): number | undefined {
  return all?.position === undefined ? undefined : Number(all.position.commitPosition ?? 0);
}

function filterOf({ filter }: ReadOptions): (record: StandInRecord) => boolean {
  const isMet = ({ regex = '', prefix = [] }: Expression, text: string): boolean =>
    regex === '' ? prefix.some((each) => text.startsWith(each)) : new RegExp(regex).test(text);
  return ({ stream, type }) => {
    if (filter?.streamIdentifier !== undefined) return isMet(filter.streamIdentifier, stream);
    return filter?.eventType === undefined || isMet(filter.eventType, type);
  };
}

function positionAt(position: number): Position {
  return { commitPosition: String(position), preparePosition: String(position) };
}

function response({
  position,
  stream,
  revision,
  id,
  type,
  contentType,
  created,
  ...record
}: StandInRecord): ReadResponse {
  const event = {
    id: { string: id },
    streamIdentifier: { streamName: Buffer.from(stream) },
    streamRevision: String(revision),
    ...positionAt(position),
    metadata: {
      type,
      'content-type': contentType ?? 'application/json',
      // In ticks of 100 ns.
      created: String(BigInt(created) * 10_000n),
    },
    customMetadata: record.metadata,
    data: record.data,
  };
  return { event: { event, commitPosition: String(position) } };
}

function success(revision: bigint, position: number | undefined): AppendResponse {
  const at = position === undefined ? { noPosition: {} } : { position: positionAt(position) };
  return { success: { currentRevision: String(revision), ...at } };
}

function wrongVersion(expected: Expected, current: bigint | undefined): AppendResponse {
  const found = current === undefined ? { currentNoStream: {} } : { currentRevision: String(current) };
  return { wrongExpectedVersion: { ...found, ...wanted(expected) } };
}

function wanted(expected: Expected): NonNullable<AppendResponse['wrongExpectedVersion']> {
  if (expected === 'any') return { expectedAny: {} };
  if (expected === 'no-stream') return { expectedNoStream: {} };
  return expected === 'stream-exists' ? { expectedStreamExists: {} } : { expectedRevision: String(expected) };
}

function refusalTo(stream: string, { result }: AppendOutcome): Refusal {
  if (result === 'stream-deleted') return streamDeleted(stream);
  return refusal(status.FAILED_PRECONDITION, 'wrong-expected-version', { 'stream-name': stream });
}

function streamDeleted(stream: string): Refusal {
  return refusal(status.FAILED_PRECONDITION, 'stream-deleted', { 'stream-name': stream });
}

function refusal(code: status, exception: string, more: Readonly<Record<string, string>>): Refusal {
  const metadata = new Metadata();
  metadata.set('exception', exception);
  for (const [name, value] of Object.entries(more)) metadata.set(name, value);
  return { code, details: exception, metadata };
}
