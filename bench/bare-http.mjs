// The physical limit of one process that answers over HTTP: node:http that reads a body, parses it and answers.
import { createServer } from 'node:http';

const answer = JSON.stringify({ orderId: '01890f5a-0000-7000-8000-000000000000', status: 'placed', revision: 0 });

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString());
    response.writeHead(201, { 'content-type': 'application/json; charset=utf-8' }).end(answer);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
