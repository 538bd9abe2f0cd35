import type { EventBatch, OnBatches } from '@waybill/shared-kernel/ports/broker.js';
import type { Notice, Notify } from '../notice.js';

/** The batch of one event at a position, from 1, of a partition. */
export function batch(position: number, partition = 0): EventBatch {
  return {
    partition,
    log: '1:first',
    previous: { since: 0, positions: { order: position - 1 } },
    through: position,
    events: [
      {
        id: `event-${position}`,
        type: 'OrderPlaced',
        schemaVersion: 1,
        occurredAt: '2026-01-01T00:00:00.000Z',
        correlationId: 'c',
        causationId: 'c',
        partitionKey: 'o',
        data: { orderId: 'o', note: 'x'.repeat(300) },
        stream: 'order-o',
        revision: position - 1,
        position,
        recordedAt: '2026-01-01T00:00:00.000Z',
      },
    ],
  };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

export function batches(from: number, to: number, partition = 0): EventBatch[] {
  return range(from, to).map((position) => batch(position, partition));
}

/** What came, and promises of it that a test waits on. */
class Log<T> {
  readonly entries: T[] = [];
  #waiting: { readonly isThere: () => boolean; readonly resolve: () => void }[] = [];

  add(...entries: readonly T[]): void {
    this.entries.push(...entries);
    this.#waiting = this.#waiting.filter(({ isThere, resolve }) => {
      if (!isThere()) return true;
      resolve();
      return false;
    });
  }

  async until(isThere: () => boolean): Promise<void> {
    if (!isThere()) await new Promise<void>((resolve) => this.#waiting.push({ isThere, resolve }));
  }
}

/** A consumer that takes everything and notes the positions. */
export class Inbox {
  readonly #log = new Log<number>();
  readonly #seen = new Set<number>();

  readonly take: OnBatches = (some) => {
    const positions = some.map(({ through }) => through);
    for (const position of positions) this.#seen.add(position);
    this.#log.add(...positions);
  };

  /** Positions as they came, duplicates included. */
  get positions(): readonly number[] {
    return this.#log.entries;
  }

  /** Resolves when it has come. */
  async including(position: number): Promise<void> {
    await this.#log.until(() => this.#seen.has(position));
  }

  /** Resolves when so many different ones have come, with their positions in the order in which they first came. */
  async different(count: number): Promise<readonly number[]> {
    await this.#log.until(() => this.#seen.size >= count);
    return [...this.#seen];
  }
}

/** What a broker notified. */
export class Notices {
  readonly #log = new Log<Notice>();

  readonly add: Notify = (notice) => this.#log.add(notice);

  count(kind: Notice['kind']): number {
    return this.#log.entries.filter((notice) => notice.kind === kind).length;
  }

  of<K extends Notice['kind']>(kind: K): Extract<Notice, { kind: K }>[] {
    return this.#log.entries.filter((notice): notice is Extract<Notice, { kind: K }> => notice.kind === kind);
  }

  /** Resolves when there were so many of a kind. */
  async atLeast(count: number, kind: Notice['kind']): Promise<void> {
    await this.#log.until(() => this.count(kind) >= count);
  }

  /** Resolves when each of the connections was told of after this call. */
  async ofEach(kind: 'connected' | 'lost', connections: readonly string[]): Promise<void> {
    const before = this.count(kind);
    await this.#log.until(() => {
      const since = this.of(kind).slice(before);
      return connections.every((name) => since.some(({ connection }) => connection === name));
    });
  }
}
