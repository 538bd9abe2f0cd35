import type { FieldValue } from '@waybill/shared-kernel/ports/read-store.js';
import type { Database, Statement } from '../../sqlite/database.js';
import { highPart, sumKeyOf } from '../storable.js';
import { fieldColumns, type CollectionTable } from './collection-table.js';
import { sharesIn } from './stored-row.js';

/** What a batch adds to a sum, or takes from it; so few documents leave both parts far below 2^53. */
interface Change {
  count: number;
  high: number;
  low: number;
}

/** Keeps a collection's sums as its documents are: gathers what the writes of a batch change, and writes each sum once. */
export class SumWriter {
  readonly #column: number;
  readonly #add: Statement<[]>;
  readonly #changes = new Map<string, Change>();

  constructor(database: Database, table: CollectionTable) {
    this.#column = fieldColumns(table).length - 1;
    this.#add = database.prepare(
      `INSERT INTO ${table.sums} (owner, day, unit, name, count, high, low) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE
       SET count = count + excluded.count, high = high + excluded.high, low = low + excluded.low`,
    );
  }

  /** Forgets what a batch left that was never ended. */
  begin(): void {
    this.#changes.clear();
  }

  /** Takes a document from the fields `before` to `after`, both by the order of the columns. */
  write(_key: string, _id: number, before: readonly FieldValue[] | undefined, after: readonly FieldValue[]): void {
    const [textBefore, textAfter] = [before?.[this.#column], after[this.#column]];
    if (textBefore === textAfter) return;
    if (textBefore !== undefined) this.#gather(textBefore as string, -1);
    this.#gather(textAfter as string, 1);
  }

  #gather(text: string, sign: 1 | -1): void {
    for (const [sum, amount] of sharesIn(text, this.#changes)) {
      let change = this.#changes.get(sum);
      if (change === undefined) this.#changes.set(sum, (change = { count: 0, high: 0, low: 0 }));
      change.count += sign;
      change.high += sign * Math.trunc(amount / highPart);
      change.low += sign * (amount % highPart);
    }
  }

  end(): void {
    for (const [sum, { count, high, low }] of this.#changes) {
      if (count === 0 && high === 0 && low === 0) continue;
      const { owner, day, unit, name } = sumKeyOf(sum);
      this.#add.run(owner, day, unit, name, count, high, low);
    }
  }
}
