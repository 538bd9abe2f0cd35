import { outOfTurn } from '@waybill/shared-kernel/testing/out-of-turn.js';
import type { World } from '../world.js';
import { checkDeadlines } from './deadlines.js';
import { countEndings } from './endings.js';
import { checkFulfilments } from './fulfilments.js';
import { History } from './history.js';
import { checkMoney } from './money.js';
import { checkReadModels } from './read-models.js';
import { checkRequests } from './requests.js';
import { checkStock } from './stock.js';
import { checkStreams } from './streams.js';

/** All that is wrong at the end of a week; what became of it is counted. */
export async function checkWeek(world: World): Promise<readonly string[]> {
  const history = new History(await world.log.kept());
  countEndings(history, world.tally);
  return [
    ...world.amiss,
    ...checkStreams(history),
    ...outOfTurn(history.events),
    ...(await checkFulfilments(history, world.positions, world.schedule.clock.now())),
    ...checkDeadlines(history),
    ...checkMoney(history, world.gateway),
    ...checkStock(history),
    ...checkRequests(history, world.apis.heard),
    ...(await checkReadModels(world)),
  ];
}
