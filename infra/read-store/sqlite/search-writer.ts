import type { FieldValue } from '@waybill/shared-kernel/ports/read-store.js';
import type { Database, Statement } from '../../sqlite/database.js';
import type { CollectionTable } from './collection-table.js';
import { searchText } from './search-tokens.js';

/** Keeps a collection's `search` index as its documents are. */
export class SearchWriter {
  readonly #table: CollectionTable;
  readonly #insert: Statement<[]>;
  readonly #remove: Statement<[]>;

  constructor(database: Database, table: CollectionTable) {
    this.#table = table;
    this.#insert = database.prepare(`INSERT INTO ${table.search} (rowid, tokens) VALUES (?, ?)`);
    this.#remove = database.prepare(`DELETE FROM ${table.search} WHERE rowid = ?`);
  }

  /** Brings a document from the fields `before` to `after`, both by the order of the columns. */
  write(_key: string, id: number, before: readonly FieldValue[] | undefined, after: readonly FieldValue[]): void {
    const textBefore = before === undefined ? '' : this.#textOf(before);
    const textAfter = this.#textOf(after);
    if (textBefore === textAfter) return;
    if (textBefore !== '') this.#remove.run(id);
    if (textAfter !== '') this.#insert.run(id, textAfter);
  }

  #textOf(fields: readonly FieldValue[]): string {
    const { single, multiple, searched, orderIndex } = this.#table;
    if (fields[orderIndex] === null) return '';
    const first = single.length + multiple.length;
    return searchText(searched.map((_, index) => fields[first + index] as string));
  }
}
