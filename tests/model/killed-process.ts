import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { writeApiDocument } from '@waybill/command-side/openapi.js';
import { fulfilmentOf } from '@waybill/command-side/testing/fulfilment.js';
import { systemClock, systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import {
  issueDevelopmentToken,
  openDevelopmentKey,
  type DevelopmentKey,
} from '@waybill/infra/http/identity/development-key.js';
import { checkedClient } from '@waybill/infra/http/testing/checked-client.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { aggregateIdOf } from '@waybill/shared-kernel/idempotency.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { serviceSubject, type KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { PartProcess } from '../support/part-process.js';
import { postOf, requestIdOf, type Caller, type Request } from './commands.js';
import { differencesIn } from './differences.js';
import type { Mishap, Real, Reply } from './steps.js';
import type { World } from './world.js';

/** For how many turns of the event loop a request is under way before its process is killed. */
const turns: Readonly<Record<Mishap, number>> = { lost: 2, unheard: 6, 'cut off': 12 };

/** A write API in a process of its own, which never ends but by SIGKILL. What is behind it works here, on the same log. */
export class KilledProcess implements Real {
  readonly #folder: string;
  readonly #key: DevelopmentKey;
  readonly #store: EventStore;
  readonly #keys: KeyStore;
  readonly #fulfil: () => Promise<void>;
  #process: PartProcess;

  private constructor(folder: string, key: DevelopmentKey, process: PartProcess) {
    this.#folder = folder;
    this.#key = key;
    this.#process = process;
    this.#store = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
    const { keys: file, masterKey: masterKeyFile } = dataFiles(folder);
    this.#keys = openSqliteKeyStore({ file, masterKeyFile, randomness: systemRandomness });
    this.#fulfil = fulfilmentOf({ store: this.#store, clock: systemClock });
  }

  static async start(): Promise<KilledProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-model-'));
    const process = await begin(folder);
    return new KilledProcess(folder, await openDevelopmentKey(dataFiles(folder).developmentKey), process);
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#keys.close();
    await this.#process.kill();
    await rm(this.#folder, { recursive: true });
  }

  async send(request: Request, mishap?: Mishap): Promise<Reply> {
    if (mishap === undefined) return this.#post(request);
    const sent = this.#post(request).catch(() => undefined);
    for (let turn = 0; turn < turns[mishap]; turn += 1) await setImmediate();
    await this.restart();
    return (await sent) ?? this.#post(request);
  }

  async newIdFor(request: Request): Promise<string> {
    return aggregateIdOf((await this.#keys.create(serviceSubject))!, requestIdOf(request));
  }

  async restart(): Promise<void> {
    await this.#process.kill();
    this.#process = await begin(this.#folder);
  }

  settle(): Promise<void> {
    return this.#fulfil();
  }

  async differences(world: World): Promise<readonly string[]> {
    const events = [];
    for await (const page of readLog(this.#store, 0)) events.push(...page.events);
    return differencesIn(events, world);
  }

  async #post({ by, command, key, ifMatch, isBroken }: Request): Promise<Reply> {
    const { path, body } = postOf(command);
    const client = checkedClient(this.#process.url, writeApiDocument);
    return client.call<Reply['body']>('POST', path, {
      token: await this.#tokenOf(by),
      body: isBroken ? { ...body, more: 1 } : body,
      headers: {
        ...(key !== null && { 'Idempotency-Key': key }),
        ...(ifMatch !== null && { 'If-Match': ifMatch }),
      },
    });
  }

  #tokenOf({ role, sub }: Caller): Promise<string> {
    return issueDevelopmentToken(this.#key, { sub, roles: [role] }, systemClock);
  }
}

function begin(folder: string): Promise<PartProcess> {
  // It has no use for a broker, but processes of their own need one that does not end with them.
  return PartProcess.start('write-api', {
    WAYBILL_DATA: folder,
    WAYBILL_WRITE_PORT: '0',
    WAYBILL_BROKER: 'amqp://127.0.0.1:1',
  });
}
