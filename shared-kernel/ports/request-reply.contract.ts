import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Unavailable } from '../errors.js';
import type { Body, RequestReply } from './request-reply.js';

export interface RequestReplyUnderTest {
  /** Two connections to the same broker, which may be one. */
  open(): Promise<{ readonly asking: RequestReply; readonly answering: RequestReply }>;
}

const patient = 20_000;

/** What every adapter of request and reply promises. Names are fresh in each test. */
export function requestReplyContract(name: string, underTest: RequestReplyUnderTest): void {
  describe(`request and reply: ${name}`, () => {
    let asking: RequestReply;
    let answering: RequestReply;
    let service: string;

    beforeEach(async () => {
      ({ asking, answering } = await underTest.open());
      service = `service-${randomUUID()}`;
    });

    afterEach(() => Promise.all([asking.close(), answering.close()]));

    test('a request is answered', async () => {
      await answering.answer(service, (body, correlationId) => ({ heard: body, correlationId }));
      expect(await asking.request(service, { amount: 5, items: [null, 'ä'] }, 'c-1', patient)).toEqual({
        heard: { amount: 5, items: [null, 'ä'] },
        correlationId: 'c-1',
      });
    });

    test('each request gets its own answer, whatever their order', async () => {
      const waiting: (() => void)[] = [];
      await answering.answer(service, async (body) => {
        await new Promise<void>((resolve) => {
          waiting.unshift(resolve);
          if (waiting.length === 3) for (const go of waiting) go();
        });
        return body;
      });
      const answers = [1, 2, 3].map((body) => asking.request(service, body, `c-${body}`, patient));
      expect(await Promise.all(answers)).toEqual([1, 2, 3]);
    });

    test('without anybody who answers it is unavailable', async () => {
      await expect(asking.request(service, 1, 'c', patient)).rejects.toThrow(Unavailable);
      const closed = await answering.answer(service, (body) => body);
      await closed.close();
      await expect(asking.request(service, 1, 'c', 100)).rejects.toThrow(Unavailable);
    });

    test('without an answer in time it is unavailable, and what comes late is ignored', async () => {
      const late: ((answer: Body) => void)[] = [];
      await answering.answer(service, (body) => {
        return body === 'quick' ? body : new Promise<Body>((resolve) => late.push(resolve));
      });
      await expect(asking.request(service, 'slow', 'same', 50)).rejects.toThrow(Unavailable);
      const again = asking.request(service, 'slow', 'same', patient);
      while (late.length < 2) await new Promise((resolve) => setImmediate(resolve));
      late[0]!('late');
      expect(await asking.request(service, 'quick', 'other', patient)).toBe('quick');
      late[1]!('in time');
      expect(await again).toBe('in time');
    });

    test('a failure of the one who answers is told', async () => {
      await answering.answer(service, () => {
        throw new Error('no such card');
      });
      await expect(asking.request(service, 1, 'c', patient)).rejects.toThrow(/no such card/);
    });

    test('one of several answers, and one that closes finishes what it works on', async () => {
      const heard: string[] = [];
      let finish!: () => void;
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const first = await answering.answer(service, async (body) => {
        heard.push(`first ${JSON.stringify(body)}`);
        await finished;
        return 'first';
      });
      const answer = asking.request(service, 1, 'c-1', patient);
      while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const closing = first.close();
      await answering.answer(service, (body) => {
        heard.push(`second ${JSON.stringify(body)}`);
        return 'second';
      });
      expect(await asking.request(service, 2, 'c-2', patient)).toBe('second');
      finish();
      await closing;
      expect(await answer).toBe('first');
      expect(heard).toEqual(['first 1', 'second 2']);
    });

    test('closing rejects what waits', async () => {
      await answering.answer(service, () => new Promise<Body>(() => undefined));
      const waiting = expect(asking.request(service, 1, 'c', patient)).rejects.toThrow(Unavailable);
      await new Promise((resolve) => setImmediate(resolve));
      await asking.close();
      await waiting;
      await expect(asking.request(service, 1, 'c', patient)).rejects.toThrow(Unavailable);
    });
  });
}
