import { writeAccess } from '@waybill/command-side/access.js';
import { aggregatesIn } from '@waybill/command-side/handling/aggregates.js';
import { Erasures } from '@waybill/command-side/customers/erasures.js';
import { CommandHandler } from '@waybill/command-side/handling/handle-command.js';
import { LiveLook } from '@waybill/command-side/handling/live-look.js';
import { PaymentRecords } from '@waybill/command-side/payments/payment-records.js';
import { writeRoutes } from '@waybill/command-side/write-api.js';
import type { Role } from '@waybill/infra/http/identity/caller.js';
import type { Answer, Route } from '@waybill/infra/http/route.js';
import { decodeConsistencyToken, type WritePoint } from '@waybill/shared-kernel/consistency-token.js';
import { ConcurrentRequest, Unavailable, WaybillError } from '@waybill/shared-kernel/errors.js';
import { requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import { ProcessLog } from './process-log.js';
import type { World } from './world.js';

/** A command as a client sends it. */
export interface Command {
  readonly by: { readonly sub: string; readonly role: Role };
  /** As declared. */
  readonly route: `/v1/${string}`;
  /** What stands in the route's place for one. */
  readonly id?: string;
  readonly body?: object;
  /** The Idempotency-Key. */
  readonly key: string;
}

export interface Done {
  readonly body: Readonly<Record<string, unknown>>;
  readonly isReplayed: boolean;
}

/** `unheard`: whether it was done, nobody knows. */
export type CommandOutcome = { readonly done: Done } | { readonly refused: WaybillError } | 'unheard';

/** A good answer as a client heard it. */
export interface Heard extends WritePoint {
  readonly requestId: string;
  readonly body: string;
  /** The log's length by then. */
  readonly head: number;
}

type Dependencies = Omit<World, 'apis'>;

const deaf = 0.01;

/** Two processes of the write API, without their HTTP. One that dies is started anew, and knows nothing but the log. */
export class WriteApis {
  readonly #dependencies: Dependencies;
  readonly #processes: WriteApi[];
  readonly heard: Heard[] = [];

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#processes = [new WriteApi(dependencies), new WriteApi(dependencies)];
  }

  async ask(command: Command): Promise<CommandOutcome> {
    const { chance, tally } = this.#dependencies;
    try {
      const answer = await this.#process().answer(command);
      tally.count(`${command.route}: done`);
      if (chance.is(deaf)) {
        tally.count('answer that nobody heard');
        return 'unheard';
      }
      return { done: this.#hear(command, answer) };
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      tally.count(`${command.route}: ${error.kind}`);
      return error instanceof Unavailable || error instanceof ConcurrentRequest ? 'unheard' : { refused: error };
    }
  }

  /** What the payment gateway says of its own accord. Whether it was taken. */
  async notify(notice: object): Promise<boolean> {
    try {
      await this.#process().notify(notice);
      return true;
    } catch (error) {
      if (error instanceof Unavailable || error instanceof ConcurrentRequest) return false;
      throw error;
    }
  }

  #process(): WriteApi {
    const place = this.#dependencies.chance.between(0, this.#processes.length - 1);
    if (this.#processes[place]!.isDead) this.#processes[place] = new WriteApi(this.#dependencies);
    return this.#processes[place]!;
  }

  #hear({ by, route, id, key }: Command, { headers, body = '' }: Answer): Done {
    const point = decodeConsistencyToken(headers!['Consistency-Token']!);
    const requestId = requestIdOf(by.sub, by.role, 'POST', pathOf(route, id), key);
    this.heard.push({ ...point, requestId, body, head: this.#dependencies.log.length });
    const isReplayed = headers?.['Idempotency-Replayed'] === 'true';
    if (isReplayed) this.#dependencies.tally.count('answer given again');
    return { body: JSON.parse(body) as Done['body'], isReplayed };
  }
}

function pathOf(route: string, id = ''): string {
  return route.replace(/:\w+/u, id);
}

/** One process: what it remembers ends with it. */
class WriteApi {
  readonly #store: ProcessLog;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #dependencies: Dependencies;

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
    this.#store = new ProcessLog('a write API', dependencies);
    const { keys, chance, schedule } = dependencies;
    const { clock, timer } = schedule;
    const tools = { store: this.#store, keys, clock, timer, randomness: chance.randomness };
    const look = new LiveLook({ store: this.#store, clock, timer });
    const aggregates = aggregatesIn(this.#store, undefined, look);
    const erasures = new Erasures({ ...tools, steadyClock: clock, aggregates });
    const doing = { aggregates, handler: new CommandHandler(tools), erasures, payments: new PaymentRecords(tools) };
    const routes = writeRoutes({ ...tools, ...doing, webhookSecret: '', publicReadUrl: '' });
    this.#routes = new Map(routes.map((route) => [route.path, route]));
  }

  get isDead(): boolean {
    return this.#store.isDead;
  }

  async answer({ by, route: name, id, body, key }: Command): Promise<Answer> {
    const route = this.#routes.get(name);
    const access = Object.entries(writeAccess).find(([operation]) => operation === `POST ${name}`)?.[1];
    if (route === undefined || 'secret' in route || access === undefined || access === 'signed') {
      throw new Error(`There is no ${name}.`);
    }
    const parameter = /:(\w+)/u.exec(name)?.[1];
    return route.handle({
      method: 'POST',
      path: pathOf(name, id),
      route: name,
      params: parameter === undefined ? {} : { [parameter]: id ?? '' },
      search: '',
      headers: { 'idempotency-key': key },
      body,
      caller: { sub: by.sub, roles: [by.role] },
      access,
      requestId: this.#dependencies.chance.randomness.uuid(),
      traceparent: undefined,
    });
  }

  async notify(body: object): Promise<void> {
    const route = this.#routes.get('/v1/payments/webhook');
    if (route === undefined || !('secret' in route)) throw new Error('There is no webhook.');
    await route.handle({ body, requestId: this.#dependencies.chance.randomness.uuid(), traceparent: undefined });
  }
}
