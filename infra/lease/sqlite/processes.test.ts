import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { MemberSays } from './testing/member-process.js';

const program = fileURLToPath(new URL('./testing/member-process.js', import.meta.url));

/** Says `news` whenever one of the processes said something. */
const processes = new EventEmitter();

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await once(processes, 'news');
}

/** A process over the file of leases, and what it said. */
class Member {
  readonly process: ChildProcess;
  got: readonly string[] | undefined;
  held: readonly number[] = [];
  #isReady = false;

  constructor(file: string) {
    this.process = fork(program, [file]);
    this.process.on('message', (message: MemberSays) => {
      if (message.says === 'ready') this.#isReady = true;
      if (message.says === 'got') this.got = message.names;
      if (message.says === 'held') this.held = message.partitions;
      processes.emit('news');
    });
  }

  async tell(what: object): Promise<void> {
    await until(() => this.#isReady);
    this.process.send(what);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill(signal);
    await exited;
    this.held = [];
    processes.emit('news');
  }
}

describe('processes over one file of leases', () => {
  let folder: string;
  let members: Member[];
  const start = (): Member => {
    const member = new Member(join(folder, 'leases.sqlite'));
    members.push(member);
    return member;
  };

  beforeEach(async () => {
    members = [];
    folder = await mkdtemp(join(tmpdir(), 'waybill-leases-'));
  });
  afterEach(async () => {
    await Promise.all(members.map((member) => member.end('SIGKILL')));
    await rm(folder, { recursive: true });
  });

  test('of those who ask at once each lease is one’s', async () => {
    const names = Array.from({ length: 200 }, (_, index) => `lease-${index}`);
    for (let count = 0; count < 4; count += 1) start();
    await Promise.all(members.map((member) => member.tell({ ask: names })));
    await until(() => members.every(({ got }) => got !== undefined));
    expect(members.flatMap(({ got }) => got ?? []).sort()).toEqual([...names].sort());
  });

  test('share the partitions evenly, whoever joins, is killed or is shut down', async () => {
    /** Waits until they hold so many each, in some order, and together all. */
    const share = async (...counts: readonly number[]): Promise<void> => {
      const wanted = [...counts].sort().join();
      await until(() => {
        const partitions = new Set(members.flatMap(({ held }) => held));
        const present = members.filter(({ process }) => process.exitCode === null && process.signalCode === null);
        return (
          partitions.size === 8 &&
          present
            .map(({ held }) => held.length)
            .sort()
            .join() === wanted
        );
      });
    };
    const join = (): Promise<void> => start().tell({ share: 'projector' });
    await Promise.all([join(), join()]);
    await share(4, 4);
    await join();
    await share(2, 3, 3);
    await members[0]!.end('SIGKILL');
    await share(4, 4);
    await members[1]!.end('SIGTERM');
    expect(members[1]!.process.exitCode).toBe(0);
    await share(8);
  });
});
