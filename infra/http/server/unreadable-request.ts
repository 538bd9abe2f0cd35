import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemRandomness } from '../../clock/system.js';
import { problemAnswer, RequestRefused } from '../problem.js';

/** What the parser or the clock of Node's server found, as a refusal. */
function refusalOf(code: string | undefined): RequestRefused {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT'
    ? new RequestRefused('request-too-slow', 'The request did not arrive in time.')
    : new RequestRefused('malformed-request', 'The request line or a header is malformed or too long.');
}

/** Answers what could not be read as a request, which no route ever sees, with a problem like any other, and hangs up. */
export function answerUnreadable(server: Server): void {
  /** What was last asked over a connection. */
  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => answers.set(request.socket, response));
  server.on('clientError', ({ code }: NodeJS.ErrnoException, socket: Duplex) => {
    const last = answers.get(socket);
    const isHalfAnswered = last?.headersSent === true && !last.writableFinished;
    if (!socket.writable || isHalfAnswered) {
      socket.destroy();
      return;
    }
    const requestId = systemRandomness.uuid();
    const { status, headers, body = '' } = problemAnswer(refusalOf(code), requestId);
    const lines = Object.entries({
      ...headers,
      'X-Request-Id': requestId,
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  });
}
