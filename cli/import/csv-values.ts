import { idPattern } from '@waybill/shared-kernel/stream.js';
import type { CsvRow } from './csv-table.js';

/** Values of a CSV row, read strictly: each throws `InvalidInput` with file, line and column for what it does not take. */

export function idIn<Column extends string>(row: CsvRow<Column>, column: Column): string {
  const text = row.text(column);
  if (!idPattern.test(text)) throw row.fault(column, 'is no id; an id is 1 to 64 of A-Z a-z 0-9 _ -');
  return text;
}

const wallClock = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})$/;

/** `YYYY-MM-DD HH:MM:SS`, read as UTC, as RFC 3339 with milliseconds. */
export function timeIn<Column extends string>(row: CsvRow<Column>, column: Column): string {
  const match = wallClock.exec(row.text(column));
  if (match !== null) {
    const time = `${match[1]}T${match[2]}.000Z`;
    const milliseconds = Date.parse(time);
    // A day such as 30 February parses, as another day.
    if (!Number.isNaN(milliseconds) && new Date(milliseconds).toISOString() === time) return time;
  }
  throw row.fault(column, 'is no date; expected is YYYY-MM-DD HH:MM:SS');
}

/** As `timeIn`; `null` where the column is empty. */
export function optionalTimeIn<Column extends string>(row: CsvRow<Column>, column: Column): string | null {
  return row.text(column) === '' ? null : timeIn(row, column);
}

const decimal = /^(\d{1,12})(?:\.(\d{1,2}))?$/;

/** A decimal such as `58.9` in hundredths: 5890. */
export function hundredthsIn<Column extends string>(row: CsvRow<Column>, column: Column): number {
  const match = decimal.exec(row.text(column));
  if (match === null) throw row.fault(column, 'is no amount; expected is a number such as 58.90, not negative');
  return Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
}

/** A whole number, 0 or more. */
export function wholeNumberIn<Column extends string>(row: CsvRow<Column>, column: Column): number {
  const text = row.text(column);
  if (!/^\d{1,9}$/.test(text)) throw row.fault(column, 'is no whole number of at most nine digits');
  return Number(text);
}

export function oneOf<Column extends string, Value extends string>(
  row: CsvRow<Column>,
  column: Column,
  values: readonly Value[],
): Value {
  const text = row.text(column);
  const value = values.find((candidate) => candidate === text);
  if (value === undefined) throw row.fault(column, `is none of ${values.join(', ')}`);
  return value;
}
