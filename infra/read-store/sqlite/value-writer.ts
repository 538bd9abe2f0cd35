import type { FieldValue } from '@waybill/shared-kernel/ports/read-store.js';
import type { Database, Statement } from '../../sqlite/database.js';
import type { CollectionTable } from './collection-table.js';
import { valuesOf } from './value-list.js';

/** Keeps a collection's `values` rows as its documents are. */
export class ValueWriter {
  readonly #table: CollectionTable;
  readonly #insert: Statement<[]>;
  readonly #remove: Statement<[]>;

  constructor(database: Database, table: CollectionTable) {
    this.#table = table;
    this.#insert = database.prepare(
      `INSERT INTO ${table.values} (field, value, place, key, id) VALUES (?, ?, ?, ?, ?)`,
    );
    this.#remove = database.prepare(
      `DELETE FROM ${table.values} WHERE field = ? AND value = ? AND place = ? AND key = ?`,
    );
  }

  /** Brings the rows of a document from the fields `before` to `after`, both by the order of the columns. */
  write(key: string, id: number, before: readonly FieldValue[] | undefined, after: readonly FieldValue[]): void {
    const { single, multiple, orderIndex } = this.#table;
    const placeBefore = before?.[orderIndex] ?? null;
    const placeAfter = after[orderIndex] ?? null;
    for (const field of multiple.keys()) {
      const column = single.length + field;
      if (placeBefore === placeAfter && before?.[column] === after[column]) continue;
      const valuesBefore = new Set(placeBefore === null ? [] : valuesOf(before?.[column] as string));
      const valuesAfter = new Set(placeAfter === null ? [] : valuesOf(after[column] as string));
      for (const value of valuesBefore) {
        if (placeBefore !== placeAfter || !valuesAfter.has(value)) this.#remove.run(field, value, placeBefore, key);
      }
      for (const value of valuesAfter) {
        if (placeBefore !== placeAfter || !valuesBefore.has(value)) this.#insert.run(field, value, placeAfter, key, id);
      }
    }
  }
}
