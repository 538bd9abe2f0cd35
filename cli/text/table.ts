/** A cell; numbers stand at the right. */
type Cell = string | number;

const numbers = new Intl.NumberFormat('en');

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${numbers.format(count)} ${count === 1 ? one : many}`;
}

/** Rows in columns, two blanks between and `indent` before them, each ended by a line break. */
export function table(rows: readonly (readonly Cell[])[], indent = '  '): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? numbers.format(cell) : cell)));
  const widths = texts.reduce<number[]>((widest, row) => {
    for (const [column, text] of row.entries()) widest[column] = Math.max(widest[column] ?? 0, text.length);
    return widest;
  }, []);
  const lines = texts.map((row, index) => {
    const cells = row.map((text, column) =>
      typeof rows[index]?.[column] === 'number' ? text.padStart(widths[column]!) : text.padEnd(widths[column]!),
    );
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
  return lines.map((line) => `${line}\n`).join('');
}
