// npm run bench [-- <case> …]: each case side by side with what it is compared to; writes docs/benchmarks.md when all ran.
import { writeFileSync } from 'node:fs';
import { append } from './cases/append.mjs';
import { appendOne } from './cases/append-one.mjs';
import { closeGrowth, listOrdersGrowth, placeOrderGrowth } from './cases/growth.mjs';
import { listOrders } from './cases/list-orders.mjs';
import { placeOrder } from './cases/place-order.mjs';
import { rebuild } from './cases/rebuild.mjs';
import { replay } from './cases/replay.mjs';
import { report } from './report.mjs';
import { alternate } from './rounds.mjs';

const cases = [placeOrder, listOrders, append, appendOne, replay, rebuild, placeOrderGrowth, listOrdersGrowth];
const rounds = Number(process.env.WAYBILL_BENCH_ROUNDS ?? 5);
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const unknown = wanted.filter((name) => !cases.some((one) => one.name === name));
if (unknown.length > 0) {
  process.stderr.write(`There is no ${unknown.join(', ')}. There are: ${cases.map(({ name }) => name).join(', ')}.\n`);
  process.exit(2);
}

const results = [];
for (const one of cases.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  const notes = [];
  process.stdout.write(`${one.name}: preparing …\n`);
  const sides = await one.sides({ note: (text) => notes.push(text) });
  const show = (number) => (number >= 100 ? Math.round(number).toLocaleString('en') : number.toFixed(2));
  const result = await alternate(sides, rounds, (round, ours, theirs) => {
    const of = `${show(ours)} against ${show(theirs)} ${one.unit}: ${(ours / theirs).toFixed(2)}`;
    process.stdout.write(
      `${one.name} ${round + 1}/${rounds}: ${of}${notes[round] === undefined ? '' : ` (${notes[round]})`}\n`,
    );
  });
  await sides.close?.();
  results.push({ ...one, ...result, notes });
}
await closeGrowth();
const text = report(results, rounds);
if (wanted.length === 0) {
  const file = new URL('../docs/benchmarks.md', import.meta.url);
  writeFileSync(file, text);
  process.stdout.write(`Written to docs/benchmarks.md.\n`);
} else {
  process.stdout.write(`\n${text}`);
}
