import Database from 'better-sqlite3';
import { join } from 'node:path';
import { systemClock } from '../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '../../infra/dist/read-store/sqlite/read-store.js';
import { catchUp } from '../../projections/dist/projecting/catch-up.js';
import { projections } from '../../projections/dist/read-models/projections.js';
import { fillLog } from '../orders-log.mjs';
import { inScratchFolder, lastingScratchFolder } from '../scratch.mjs';

const orders = 20_000;

export const rebuild = {
  name: 'rebuild',
  what: `rebuild of all read models into SQLite (${orders.toLocaleString('en')} orders)`,
  against:
    'raw `better-sqlite3` inserts of the same rows and list indexes, without the search index, 1,000 a transaction',
  unit: 'documents/s',
  atLeast: 0.5,
  async sides() {
    const { folder, remove } = lastingScratchFolder();
    const log = join(folder, 'log.sqlite');
    const store = openSqliteEventStore(log, { clock: systemClock });
    await fillLog(store, { orders });
    const tables = await inScratchFolder((scratch) => rowsAfterRebuild(store, join(scratch, 'read-models.sqlite')));
    const documents = tables.reduce((sum, { isCollection, rows }) => sum + (isCollection ? rows.length : 0), 0);
    return {
      ours: () =>
        inScratchFolder(
          async (scratch) => documents / (await timed(() => rebuildInto(store, join(scratch, 'read-models.sqlite')))),
        ),
      theirs: () =>
        inScratchFolder(
          async (scratch) => documents / (await timed(() => insertRaw(tables, join(scratch, 'raw.sqlite')))),
        ),
      close: async () => {
        await store.close();
        remove();
      },
    };
  },
};

async function timed(work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

async function rebuildInto(store, file) {
  const readStore = openSqliteReadStore(file);
  await catchUp(projections, { store, readStore, clock: systemClock });
  await readStore.close();
}

/** The documents' tables of a rebuilt store: how they are made, their indexes, and their rows. */
async function rowsAfterRebuild(store, file) {
  await rebuildInto(store, file);
  const database = new Database(file, { readonly: true });
  const names = projections.map(({ collection }) => collection.name);
  const made = database
    .prepare("SELECT name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'index'")
    .all();
  const tables = made
    .filter(
      ({ name, sql }) =>
        sql.startsWith('CREATE TABLE') &&
        names.some((of) => name.startsWith(of)) &&
        !/_(data|idx|content|docsize|config)$/.test(name),
    )
    .map(({ name, sql }) => ({
      name,
      isCollection:
        database.prepare(`SELECT 1 FROM pragma_table_info('${name}') WHERE name = 'sections'`).get() !== undefined,
      statements: [
        sql,
        ...made
          .filter((index) => index.tbl_name === name && index.sql.startsWith('CREATE INDEX'))
          .map((index) => index.sql),
      ],
      rows: database.prepare(`SELECT * FROM "${name}"`).raw().all(),
    }));
  database.close();
  return tables;
}

function insertRaw(tables, file) {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  for (const { name, statements, rows } of tables) {
    for (const statement of statements) database.exec(statement);
    if (rows.length === 0) continue;
    const insert = database.prepare(`INSERT INTO "${name}" VALUES (${rows[0].map(() => '?').join(', ')})`);
    const insertAll = database.transaction((some) => {
      for (const row of some) insert.run(row);
    });
    for (let start = 0; start < rows.length; start += 1000) insertAll(rows.slice(start, start + 1000));
  }
  database.close();
}
