import { IdempotencyKeyReused, type WaybillError } from '@waybill/shared-kernel/errors.js';
import { day, minute, second } from './time.js';
import type { World } from './world.js';
import type { Command, Done } from './write-apis.js';

const mostTries = 15;
/** How often somebody does not even try again. */
const impatient = 0.25;
const repeated = 0.04;
const misused = 0.01;

/**
 * Sends a command until somebody answers, under one key; `undefined`: it gave up. What was answered is now and then
 * asked again much later, or something else is asked under the same key.
 */
export async function insist(
  asked: Omit<Command, 'key'>,
  world: World,
): Promise<{ readonly done: Done } | { readonly refused: WaybillError } | undefined> {
  const { schedule, chance, apis, tally } = world;
  const command: Command = { ...asked, key: chance.randomness.uuid() };
  for (let tries = 0; tries < mostTries; tries += 1) {
    const outcome = await apis.ask(command);
    if (outcome !== 'unheard') {
      if (chance.is(repeated)) schedule.begin(() => apis.ask(command), chance.anywhere(second, day));
      if (chance.is(misused)) schedule.begin(() => misuse(command, world), chance.anywhere(second, day));
      return outcome;
    }
    if (chance.is(impatient)) break;
    await schedule.pause(chance.anywhere(second, 3 * minute));
  }
  tally.count('client that gave up');
  return undefined;
}

async function misuse(command: Command, { apis, tally, amiss, keys }: World): Promise<void> {
  const { by, route } = command;
  if (route !== '/v1/orders') return;
  const outcome = await apis.ask({ ...command, body: { ...command.body, payment: { token: 'tok_another' } } });
  if (outcome === 'unheard') return;
  if ('refused' in outcome && outcome.refused instanceof IdempotencyKeyReused) tally.count('misused key refused');
  else if ('done' in outcome && outcome.done.isReplayed && (await keys.find(by.sub)) !== undefined) {
    amiss.push(`${by.sub} got an answer to another order under the key ${command.key}`);
  }
}
