import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { Chance } from './chance.js';
import { checkLists } from './checks/read-models.js';
import { Couriers } from './couriers.js';
import { Customers } from './customers.js';
import { FulfilmentProcess } from './fulfilment-process.js';
import { Gateway } from './gateway.js';
import { Merchants } from './merchants.js';
import { Operators } from './operators.js';
import { PaymentProcess } from './payment-process.js';
import { Projectors } from './projectors.js';
import { Schedule } from './schedule.js';
import { Tally } from './tally.js';
import { day, hour } from './time.js';
import { WatchedLog } from './watched-log.js';
import { Weather } from './weather.js';
import type { World } from './world.js';
import { WriteApis } from './write-apis.js';

const week = 7 * day;
const start = '2026-03-02T06:00:00Z';

/** How long it takes until nothing moves any more but by a deadline, once nobody acts and nothing fails. */
const calm = 18 * hour;

/**
 * A week of an order back end, in virtual time: people act, services fail, processes die, and at its end nobody acts any
 * more, nothing fails, and what is under way may come to where it waits. The seed decides everything.
 */
export async function simulateWeek(seed: string, orders: number): Promise<World> {
  const schedule = new Schedule(start);
  const world = worldOf(seed, schedule);
  const merchants = new Merchants(world);
  merchants.begin();
  new Customers(world, merchants).begin(orders, week);
  new Couriers(world).begin();
  new Operators(world).begin();
  world.gateway.begin(world);
  world.weather.begin(world);
  const projectors = new Projectors(world);
  await projectors.begin();
  const fulfilment = new FulfilmentProcess(world, new PaymentProcess(world));
  fulfilment.begin();
  const end = schedule.clock.now() + week;
  await schedule.run(end);
  schedule.keepProcesses();
  world.weather.isCalm = true;
  await schedule.run(end + calm);
  // The lists of the process manager may be behind, as they are now, and are not wrong; at its end they are level.
  world.amiss.push(...(await checkLists(world)));
  await fulfilment.stop();
  await projectors.catchUp();
  return world;
}

function worldOf(seed: string, schedule: Schedule): World {
  const chance = new Chance(seed);
  const [tally, weather] = [new Tally(), new Weather()];
  const dependencies = { seed, schedule, chance, tally, weather, amiss: [] };
  const log = new WatchedLog(schedule.clock);
  const keys = openMemoryKeyStore(chance.randomness);
  const stores = { readStore: openSqliteReadStore(':memory:'), positions: openSqliteReadStore(':memory:') };
  const served = { ...dependencies, ...stores, log, keys, gateway: new Gateway(dependencies) };
  return { ...served, apis: new WriteApis(served) };
}
