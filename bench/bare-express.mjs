// What ours is compared to: an express 5 application that does nothing else, in a process of its own.
import express from 'express';

const app = express();
app.use(express.json());
app.post('/v1/orders', (request, response) => {
  response.status(201).json({ orderId: '01890f5a-0000-7000-8000-000000000000', status: 'placed', revision: 0 });
});

/** The page that ours answered, byte for byte. */
let page = '';
app.put('/page', express.text({ limit: '1mb', type: '*/*' }), (request, response) => {
  page = request.body;
  response.status(204).end();
});
app.get('/v1/orders', (request, response) => {
  response.type('application/json').send(page);
});

const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
