import { expect } from '@jest/globals';
import fc from 'fast-check';
import { ask, type Answered } from './ask.js';
import { settled } from './back-end.js';
import type { Request } from './commands.js';
import { isRefusal } from './decisions.js';
import { beginnings, intent, requestOf, type Intent } from './intents.js';
import { emptyWorld, type World } from './world.js';

/** An answer of the write API. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/** What goes wrong with a request: its first append reaches no log, or does and is not heard of, at once or at all. */
export type Mishap = 'lost' | 'unheard' | 'cut off';

/** The write API, with whatever is behind it. */
export interface Real {
  /** Sends a request. With a mishap, it is sent again until it is answered. */
  send(request: Request, mishap?: Mishap): Promise<Reply>;
  /** The id that a request gets for what it makes without one. */
  newIdFor(request: Request): Promise<string>;
  /** The write API ends and begins anew. */
  restart(): Promise<void>;
  /** What is behind it works until there is nothing left to do. */
  settle(): Promise<void>;
  /** Whatever it holds that the world does not, or otherwise, a sentence each. */
  differences(world: World): Promise<readonly string[]>;
}

/** What is expected; fast-check changes it step by step. */
export interface Expected {
  world: World;
  readonly sent: Request[];
  /** The steps as they were taken, for people. */
  readonly taken: string[];
  /** The first answer to each request that was remembered, as it stood. */
  readonly answers: Map<string, { readonly text: string; readonly token: string | null }>;
}

export type Step = fc.AsyncCommand<Expected, Real>;

class Ask implements Step {
  readonly #intent: Intent | Request;
  readonly #mishap: Mishap | undefined;

  constructor(intent: Intent | Request, mishap?: Mishap) {
    this.#intent = intent;
    this.#mishap = mishap;
  }

  check(): boolean {
    return true;
  }

  async run(expected: Expected, real: Real): Promise<void> {
    const meant = this.#intent;
    const request = 'command' in meant ? meant : requestOf(meant, expected.world, expected.sent);
    expected.taken.push(inWords(request, this.#mishap));
    const { world, answer } = ask(expected.world, request, await real.newIdFor(request));
    const reply = await real.send(request, this.#mishap);
    expect(told(reply, answer, this.#mishap !== undefined)).toEqual(
      told(undefined, answer, this.#mishap !== undefined),
    );
    if (!isRefusal(answer)) this.#isTheFirst(expected, request, reply, answer.isReplayed);
    expected.sent.push(request);
    expected.world = world;
  }

  /** What is answered again is answered byte for byte. */
  #isTheFirst({ answers }: Expected, request: Request, reply: Reply, isReplayed: boolean): void {
    const { by, command, key } = request;
    const name = JSON.stringify(command.type === 'locate' ? [by, command] : [by, command, key]);
    const given = { text: reply.text, token: reply.headers.get('Consistency-Token') };
    if (isReplayed) expect(given).toEqual(answers.get(name) ?? given);
    else answers.set(name, given);
  }

  toString(): string {
    return `ask ${JSON.stringify([this.#intent, this.#mishap])}`;
  }
}

function inWords({ by, command, key, ifMatch, isBroken }: Request, mishap: Mishap | undefined): string {
  return `${by.role} ${by.sub}: ${JSON.stringify({ ...command, key, ifMatch, isBroken, mishap })}`;
}

/** An answer as it was, or as it is expected to be where there is none. */
function told(reply: Reply | undefined, answer: Answered['answer'], mayBeReplayed: boolean): object {
  if (isRefusal(answer)) {
    const { status, kind, rule, pointers, currentRevision } = answer;
    if (reply === undefined)
      return { status, type: `urn:waybill:problem:${kind}`, rule, pointers: pointers?.toSorted(), currentRevision };
    const { type, errors, ...body } = reply.body;
    const pointed = (errors as readonly { pointer: string }[] | undefined)?.map(({ pointer }) => pointer).toSorted();
    return {
      status: reply.status,
      type,
      rule: body['rule'],
      pointers: pointed,
      currentRevision: body['currentRevision'],
    };
  }
  const { status, body, isReplayed } = answer;
  if (reply === undefined) {
    const replayed = mayBeReplayed ? 'either' : isReplayed ? 'true' : null;
    return { status, body, etag: `"${body.revision}"`, replayed, hasToken: true };
  }
  const { headers } = reply;
  return {
    status: reply.status,
    body: reply.body,
    etag: headers.get('ETag'),
    replayed: mayBeReplayed ? 'either' : headers.get('Idempotency-Replayed'),
    hasToken: headers.get('Consistency-Token') !== null,
  };
}

class Restart implements Step {
  check(): boolean {
    return true;
  }

  run({ taken }: Expected, real: Real): Promise<void> {
    taken.push('restart');
    return real.restart();
  }

  toString(): string {
    return 'restart';
  }
}

class Settle implements Step {
  check({ world }: Expected): boolean {
    return world.news.length > 0;
  }

  async run(expected: Expected, real: Real): Promise<void> {
    expected.taken.push('settle');
    await real.settle();
    expected.world = settled(expected.world);
    expect(await real.differences(expected.world)).toEqual([]);
  }

  toString(): string {
    return 'settle';
  }
}

const mishap = fc.constantFrom<Mishap>('lost', 'unheard', 'cut off');

/** These requests one after the other, what is behind the write API being done with each. */
export function oneByOne(requests: readonly Request[]): readonly Step[] {
  return requests.flatMap((request) => [new Ask(request), new Settle()]);
}

/** Steps of several users and of fate. */
export function steps(most: number): fc.Arbitrary<Iterable<Step>> {
  const asking = intent.map((one) => new Ask(one));
  const unlucky = fc.tuple(intent, mishap).map(([one, how]) => new Ask(one, how));
  const kinds = [
    ...Array.from({ length: 12 }, () => asking),
    ...Array.from({ length: 2 }, () => unlucky),
    ...Array.from({ length: 4 }, () => fc.constant(new Settle())),
    fc.constant(new Restart()),
  ];
  return fc.commands(kinds, { maxCommands: most, size: 'max' });
}

/** Takes steps with the real thing and the model. Throws at the first difference, with the steps that led to it. */
export async function compare(real: Real, steps: Iterable<Step>): Promise<void> {
  const expected: Expected = { world: emptyWorld, sent: [], taken: [], answers: new Map() };
  const both = () => ({ model: expected, real });
  try {
    await fc.asyncModelRun(both, [...beginnings.map((request) => new Ask(request)), new Settle()]);
    await fc.asyncModelRun(both, steps);
    expect(await real.differences(expected.world)).toEqual([]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${why}\n\nafter\n${expected.taken.join('\n')}`, { cause: error });
  }
}
