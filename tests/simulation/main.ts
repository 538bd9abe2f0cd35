import { createHash } from 'node:crypto';
import { checkWeek } from './checks/check-week.js';
import type { WeekReport } from './week-process.js';
import { simulateWeek } from './week.js';

// A week in a process of its own. Its arguments: the seed, and how many orders are asked for.

const [, , seed = '', orders = ''] = process.argv;
const world = await simulateWeek(seed, Number(orders));
const events = await world.log.kept();
const hash = createHash('sha256');
for (const event of events) hash.update(JSON.stringify(event));
const amiss = await checkWeek(world);
const report: WeekReport = { log: hash.digest('hex'), amiss, happened: world.tally.counts() };
process.send?.(report, () => process.disconnect());
