import type { RabbitMqBroker, RabbitMqOptions } from '../broker.js';
import { ScratchNames } from './scratch-names.js';
import { amqpUrl, serverAddress, urlThrough } from './server-under-test.js';
import { TcpProxy } from '../../../testing/tcp-proxy.js';

/** What a test opened, so that it is all closed and deleted after it. */
export class SetUp {
  names = new ScratchNames();
  #brokers: RabbitMqBroker[] = [];
  #proxies: TcpProxy[] = [];

  /** A broker that reaches the server directly, or through a proxy. */
  broker(options: Omit<RabbitMqOptions, 'prefix' | 'url'> = {}, proxy?: TcpProxy): RabbitMqBroker {
    const url = proxy === undefined ? amqpUrl : urlThrough(proxy.port);
    const tuning = { backOff: { first: 5, most: 50 }, closeTimeout: 300, ...options.tuning };
    const broker = this.names.open({ ...options, tuning, url });
    this.#brokers.push(broker);
    return broker;
  }

  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.listen(serverAddress());
    this.#proxies.push(proxy);
    return proxy;
  }

  async tearDown(): Promise<void> {
    await Promise.all(this.#brokers.splice(0).map((broker) => broker.close()));
    await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.close()));
    await this.names.dispose(amqpUrl);
    this.names = new ScratchNames();
  }
}
