import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import express from 'express';
import { turns } from '@waybill/shared-kernel/testing/turns.js';
import type { StreamedAnswer } from './route.js';
import { sendPieces, type Handler, type Patience } from './send.js';

/** More than any buffer between here and the client holds. */
const large = 'x'.repeat(64 * 1024 * 1024);

let server: Server;
let asked = 0;
let isOver: Promise<void>;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function* twice(piece: string): AsyncGenerator<string> {
  for (asked = 1; asked <= 2; asked += 1) yield piece;
}

/** The head of an answer of which nothing is read yet. */
async function ask(answer: Omit<StreamedAnswer, 'status'>, answerTimeoutMs: Patience): Promise<IncomingMessage> {
  const handler: Handler = (_request, response) => {
    response.locals.cors = [];
    response.locals.requestId = 'r';
    isOver = sendPieces(response, { status: 200, ...answer }, answerTimeoutMs);
    return isOver;
  };
  server = createServer(express().get('/', handler)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const request = httpRequest({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  // Whoever reads the answer is told.
  request.on('error', () => {});
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

test('whoever takes too long over a piece is cut off, though they take a little now and then', async () => {
  const response = await ask({ pieces: twice(large) }, { stalledMs: 300, lookEveryMs: 100 });
  let length = 0;
  const trickle = async () => {
    for await (const chunk of response) {
      length += (chunk as Buffer).length;
      await turns(500);
    }
  };
  await expect(trickle()).rejects.toThrow('aborted');
  await isOver;
  expect(asked).toBe(1);
  expect(length).toBeLessThan(large.length);
});

test('a piece that may not be sent any more is dropped with its connection, and no other is asked for', async () => {
  let maySend = true;
  let looks = 0;
  const mayStillBeSent = async () => {
    looks += 1;
    // As it is looked at again.
    if (looks === 2) maySend = false;
    return maySend;
  };
  const response = await ask({ pieces: twice(large), mayStillBeSent }, { stalledMs: 3_600_000, lookEveryMs: 50 });
  // The client takes nothing meanwhile.
  await isOver;
  expect([asked, looks]).toEqual([1, 2]);
  let length = 0;
  const rest = async () => {
    for await (const chunk of response) length += (chunk as Buffer).length;
  };
  await expect(rest()).rejects.toThrow('aborted');
  expect(length).toBeLessThan(large.length);
});

test('whoever takes what comes gets it all, and nobody looks', async () => {
  const mayStillBeSent = () => Promise.reject(new Error('nobody asks'));
  const response = await ask({ pieces: twice('piece'), mayStillBeSent }, { stalledMs: 60_000, lookEveryMs: 60_000 });
  let body = '';
  for await (const chunk of response) body += String(chunk);
  await isOver;
  expect(body).toBe('piecepiece');
});
