/** What somebody asks for about one delivery. `by`: a courier's id, or `op`, who is an operator. */
export type CourierCall =
  | By<'claim'>
  | By<'pickup'>
  | CallOnOwn
  /** Of the order, by its customer. */
  | { readonly type: 'cancellation' };

type CallOnOwn =
  | By<'release'>
  | By<'completion'>
  | By<'return'>
  | By<'failure', { readonly next: 'retry' | 'return' }>
  | By<'positions', { readonly at: string }>;

type By<Type extends string, Fields = unknown> = { readonly type: Type; readonly by: string } & Fields;

/** Where an order and its delivery stand. */
export interface World {
  /** With whom the order has left, as its stream says; null: with nobody. */
  readonly leftWith: string | null;
  readonly isCancelled: boolean;
  readonly status: 'open' | 'assigned' | 'picked_up' | 'delivered' | 'failed' | 'returned' | 'cancelled';
  readonly holder: string | null;
  /** Whoever has it or had it. */
  readonly couriers: readonly string[];
  /** The positions that are known: when, who reported it, and who had the parcel then. */
  readonly times: readonly { readonly at: string; readonly by: string; readonly holder: string | null }[];
  /** The latest of them, and who had the parcel then. */
  readonly latest: { readonly at: string; readonly holder: string | null } | null;
  /** Events of the delivery. */
  readonly events: number;
}

export const scheduled: World = {
  leftWith: null,
  isCancelled: false,
  status: 'open',
  holder: null,
  couriers: [],
  times: [],
  latest: null,
  events: 1,
};

/** Part of a call that nothing comes in between: the world after it, and the answer or the next part. */
type Part = (world: World) => { readonly world: World; readonly then: number | Part };

const done = (world: World, change: Partial<World> = {}) => ({
  world: { ...world, ...change, events: world.events + 1 },
  then: 200,
});
const answer = (world: World, status: number) => ({ world, then: status });

/** Whether the delivery is with somebody else. */
function isForbidden({ status, holder }: World, by: string): boolean {
  return by !== 'op' && status !== 'cancelled' && holder !== null && holder !== by;
}

/** Only reading it, leaving with the order and writing that down are three: others may come in between. */
function pickUp(by: string): Part {
  return (before) => {
    const { status, holder } = before;
    if (isForbidden(before, by)) return answer(before, 403);
    if (status === 'cancelled' || holder === null) return answer(before, 409);
    if (status !== 'assigned') return answer(before, 200);
    return { world: before, then: leave(holder) };
  };
}

function leave(holder: string): Part {
  return (world) => {
    if (world.isCancelled || (world.leftWith ?? holder) !== holder) return answer(world, 409);
    return { world: { ...world, leftWith: holder }, then: record(holder) };
  };
}

function record(holder: string): Part {
  return (world) => {
    const isStillToLeave = world.status === 'open' || world.status === 'assigned';
    return isStillToLeave
      ? done(world, { status: 'picked_up', holder, couriers: [...world.couriers, holder] })
      : answer(world, 200);
  };
}

function report(world: World, by: string, at: string) {
  const { status, couriers, times, latest } = world;
  const holder = status === 'cancelled' ? null : world.holder;
  const told = times.filter((time) => time.at === at);
  if (told.some((time) => time.by === by)) return answer(world, 200);
  const theirs = holder === null ? couriers : [holder];
  if (by !== 'op' && theirs.length > 0 && !theirs.includes(by)) return answer(world, 403);
  if (told.some((time) => holder === null || time.holder === holder)) return answer(world, 200);
  if (status !== 'assigned' && status !== 'picked_up' && status !== 'failed') return answer(world, 409);
  const isNewest = latest === null || at > latest.at;
  return done(world, { times: [...times, { at, by, holder }], latest: isNewest ? { at, holder } : latest });
}

/** From one status to the next; a no-op where it got there already. */
function step(world: World, from: World['status'], to: World['status'], holder = world.holder) {
  if (world.status === to) return answer(world, 200);
  return world.status === from ? done(world, { status: to, holder }) : answer(world, 409);
}

function partsOf(call: CourierCall): Part {
  switch (call.type) {
    case 'pickup':
      return pickUp(call.by);
    case 'cancellation':
      return (world) =>
        world.leftWith === null ? { world: { ...world, isCancelled: true }, then: 200 } : answer(world, 409);
    case 'claim':
      return (world) => {
        if (world.status === 'open') {
          return done(world, { status: 'assigned', holder: call.by, couriers: [...world.couriers, call.by] });
        }
        return answer(world, world.status === 'assigned' && world.holder === call.by ? 200 : 409);
      };
    case 'positions':
      return (world) => report(world, call.by, call.at);
    default:
      return (world) => (isForbidden(world, call.by) ? answer(world, 403) : onOwn(world, call));
  }
}

function onOwn(world: World, call: Exclude<CallOnOwn, { readonly type: 'positions' }>) {
  switch (call.type) {
    case 'release':
      return step(world, 'assigned', 'open', null);
    case 'completion':
      return step(world, 'picked_up', 'delivered');
    case 'failure':
      if (call.next === 'return') return step(world, 'picked_up', 'failed');
      return world.status === 'picked_up' ? done(world) : answer(world, 409);
    case 'return':
      return step(world, 'failed', 'returned');
    default:
      return call satisfies never;
  }
}

/** What may become of calls that are made at once: the answer to each, and the world after all of them. */
export interface CallOutcome {
  readonly answers: readonly number[];
  readonly world: World;
}

/** Every outcome that some order of the parts of these calls has. */
export function outcomesOf(calls: readonly CourierCall[], before: World): readonly CallOutcome[] {
  const found = new Map<string, CallOutcome>();
  const go = (world: World, calls: readonly (number | Part)[]): void => {
    if (calls.every((call) => typeof call === 'number')) {
      const outcome = { answers: calls, world };
      found.set(JSON.stringify(outcome), outcome);
      return;
    }
    for (const [index, part] of calls.entries()) {
      if (typeof part === 'number') continue;
      const after = part(world);
      go(after.world, calls.with(index, after.then));
    }
  };
  go(before, calls.map(partsOf));
  return [...found.values()];
}

/** A pick-up whose process dies once the order has left: 503, where it came that far. */
export function deadPickUp(by: string, before: World): CallOutcome {
  let { world, then } = pickUp(by)(before);
  if (typeof then !== 'number') ({ world, then } = then(world));
  return { answers: [typeof then === 'number' ? then : 503], world };
}

/** After the process manager has worked on all that happened. */
export function fulfilled(world: World): World {
  if (world.status !== 'open' && world.status !== 'assigned') return world;
  const events = world.events + 1;
  if (world.isCancelled) return { ...world, status: 'cancelled', events };
  return world.leftWith === null ? world : { ...world, status: 'picked_up', holder: world.leftWith, events };
}
