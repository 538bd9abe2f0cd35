import { fulfilmentOf } from '@waybill/command-side/testing/fulfilment.js';
import type { WriteApi } from '@waybill/command-side/testing/write-api.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { aggregateIdOf } from '@waybill/shared-kernel/idempotency.js';
import { serviceSubject } from '@waybill/shared-kernel/ports/keys.js';
import { postOf, requestIdOf, type Request } from './commands.js';
import { differencesIn } from './differences.js';
import type { Mishap, Real, Reply } from './steps.js';
import type { World } from './world.js';

/** A write API of this process, whose log forgets what it is told to, and what is behind it. */
export class InProcess implements Real {
  readonly #api: WriteApi;
  readonly #fulfil: () => Promise<void>;

  constructor(api: WriteApi) {
    this.#api = api;
    this.#fulfil = fulfilmentOf(api);
  }

  async send(request: Request, mishap?: Mishap): Promise<Reply> {
    if (mishap === undefined) return this.#post(request);
    const { store } = this.#api;
    store.fate = () => {
      store.fate = () => 'done';
      return mishap;
    };
    const reply = await this.#post(request);
    store.fate = () => 'done';
    return reply.status === 503 ? this.#post(request) : reply;
  }

  async newIdFor(request: Request): Promise<string> {
    return aggregateIdOf((await this.#api.keys.create(serviceSubject))!, requestIdOf(request));
  }

  restart(): Promise<void> {
    return this.#api.restart();
  }

  settle(): Promise<void> {
    return this.#fulfil();
  }

  async differences(world: World): Promise<readonly string[]> {
    const events = [];
    for await (const page of readLog(this.#api.store, 0)) events.push(...page.events);
    return differencesIn(events, world);
  }

  #post({ by, command, key, ifMatch, isBroken }: Request): Promise<Reply> {
    const { path, body } = postOf(command);
    return this.#api.post(path, {
      as: `${by.role}:${by.sub}`,
      key,
      body: isBroken ? { ...body, more: 1 } : body,
      headers: ifMatch === null ? {} : { 'If-Match': ifMatch },
    });
  }
}
