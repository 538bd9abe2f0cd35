import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import type {
  RunningServer,
  ServerUnderTest,
} from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { ScratchDatabase } from '@waybill/infra/mongodb/testing/server-under-test.js';
import type { Engines } from './deployment.js';

/** A RabbitMQ server, a database of the MongoDB server, and an EventStoreDB if one is wanted, that no other suite uses. */
export class ScratchServers {
  readonly rabbitMq: RabbitMqServer;
  /** Where the event store is; `undefined`: the log is in the data folder. */
  readonly eventStore: string | undefined;
  readonly #running: RunningServer | undefined;
  readonly #database: ScratchDatabase;

  private constructor(rabbitMq: RabbitMqServer, database: ScratchDatabase, running: RunningServer | undefined) {
    this.rabbitMq = rabbitMq;
    this.eventStore = running?.url;
    this.#running = running;
    this.#database = database;
  }

  static async create(eventStore?: ServerUnderTest): Promise<ScratchServers> {
    const [rabbitMq, running] = await Promise.all([RabbitMqServer.create(), eventStore?.start()]);
    return new ScratchServers(rabbitMq, new ScratchDatabase(), running);
  }

  /** What a deployment on them runs on. `broker`: a way to the broker in place of the straight one. */
  with(eventStore = this.eventStore, broker = this.rabbitMq.url): Engines {
    return { eventStore, broker, readStore: this.#database.url };
  }

  async dispose(): Promise<void> {
    await Promise.all([this.rabbitMq.dispose(), this.#running?.dispose()]);
    await this.#database.dispose();
  }
}
