import { expect, test } from '@jest/globals';
import { ObjectId } from 'mongodb';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { CommitLane } from './commit-lane.js';
import type { PreparedBatch } from './conditional-writes.js';

/** Of documents whose keys begin with a name. */
function batch(partition: number, name: number, documents = 1): PreparedBatch {
  const write = (number: number) => ({
    key: `${name}-${number}`,
    expected: undefined,
    revisions: { order: 0 },
    sections: {},
    fields: { single: {}, multiple: {} },
    projectedAt: '2026-03-01T12:00:00.000Z',
  });
  const writes = Array.from({ length: documents }, (_, number) => write(number));
  return { partition, writes, commit: new ObjectId(), documents: [] };
}

const nameOf = ({ writes }: PreparedBatch): number => Number.parseInt(writes[0]!.key, 10);

/** Groups that were written, as the names of their batches; each waits until the test lets it go. */
class Writing {
  readonly groups: number[][] = [];
  readonly ends: ((error?: Error) => void)[] = [];

  readonly write = (batches: readonly PreparedBatch[]): Promise<readonly (readonly string[])[]> => {
    this.groups.push(batches.map(nameOf));
    return new Promise((resolve, reject) => {
      this.ends.push((error) => {
        if (error !== undefined) reject(error);
        else resolve(batches.map((one) => [`conflict of ${nameOf(one)}`]));
      });
    });
  };
}

test('what is committed while others are written is written together afterwards, of each partition one', async () => {
  const writing = new Writing();
  const lane = new CommitLane(writing.write, 1);
  const first = [lane.commit(batch(0, 1)), lane.commit(batch(1, 2))];
  await until(() => writing.groups.length === 1);
  const later = [
    lane.commit(batch(0, 3)),
    lane.commit(batch(2, 4)),
    lane.commit(batch(0, 5)),
    lane.commit(batch(1, 6)),
  ];
  writing.ends[0]!();
  expect(await Promise.all(first)).toEqual([['conflict of 1'], ['conflict of 2']]);
  await until(() => writing.groups.length === 2);
  writing.ends[1]!();
  await until(() => writing.groups.length === 3);
  writing.ends[2]!();
  expect(await Promise.all(later)).toEqual([3, 4, 5, 6].map((name) => [`conflict of ${name}`]));
  expect(writing.groups).toEqual([[1, 2], [3, 4, 6], [5]]);
});

test('two groups are under way at a time', async () => {
  const writing = new Writing();
  const lane = new CommitLane(writing.write);
  const all = [1, 2, 3, 4].map((name) => batch(0, name)).map((one) => lane.commit(one));
  await until(() => writing.groups.length === 2);
  writing.ends[1]!();
  await until(() => writing.groups.length === 3);
  writing.ends[0]!();
  writing.ends[2]!();
  await until(() => writing.groups.length === 4);
  writing.ends[3]!();
  await Promise.all(all);
  expect(writing.groups).toEqual([[1], [2], [3], [4]]);
});

test('as many documents go together as go well, and whole batches', async () => {
  const writing = new Writing();
  const lane = new CommitLane(writing.write, 1);
  const sizes = [3000, 1, 700, 500, 1];
  const all = Promise.all(sizes.map((size, partition) => lane.commit(batch(partition, partition, size))));
  for (let done = 0; done < 3; done += 1) {
    await until(() => writing.groups.length === done + 1);
    writing.ends[done]!();
  }
  await all;
  expect(writing.groups).toEqual([[0], [1, 2], [3, 4]]);
});

test('what is wrong with one does not stop the others', async () => {
  const groups: number[] = [];
  const lane = new CommitLane(async (batches) => {
    groups.push(batches.length);
    if (batches.some((one) => nameOf(one) === 2)) throw new Error('refused');
    return batches.map(() => []);
  });
  const results = await Promise.allSettled([1, 2, 3].map((name) => lane.commit(batch(name, name))));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(groups).toEqual([3, 1, 1, 1]);
});

test('while the server is gone all fail together, and those that come later are tried', async () => {
  const writing = new Writing();
  const lane = new CommitLane(writing.write, 1);
  const lost = [lane.commit(batch(0, 1)), lane.commit(batch(1, 2))];
  const settled = Promise.allSettled(lost);
  await until(() => writing.groups.length === 1);
  const next = lane.commit(batch(0, 3));
  writing.ends[0]!(new Unavailable('read store', 'Gone.'));
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await until(() => writing.groups.length === 2);
  writing.ends[1]!();
  expect(await next).toEqual(['conflict of 3']);
});
