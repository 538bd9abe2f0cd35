// Starts the servers of the tests on loopback ports of their own, runs a command with their addresses in its
// environment, stops them, and exits as the command did: `node tools/servers/with-servers.mjs npm test -- servers`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { explained } from '../../bootstrap/explained.mjs';
import { prepare } from '../../bootstrap/prepare.mjs';
import { root } from '../../bootstrap/root.mjs';
import { falseTimeLibrary, programFile, requirePackages } from './packages.mjs';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  process.stderr.write('Usage: node tools/servers/with-servers.mjs <command> [argument …]\n');
  process.exit(2);
}

await explained(async () => requirePackages(), 3);
await prepare({ dev: true });
const { RabbitMqServer } = await import('../../infra/dist/broker/rabbitmq/testing/rabbitmq-server.js');
const mongoJavaServer = join(root, 'tools', 'servers', 'mongo-java-server.mjs');

/** How each server that runs is stopped. */
const stops = [];
let command;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    if (command === undefined) stopAll().then(() => process.exit(128));
    else command.kill(signal);
  });
}

try {
  const starts = [startRabbitMq(), startMongoDb()];
  await Promise.allSettled(starts); // so that whichever does start is stopped
  const [amqp, mongoDb] = await Promise.all(starts);
  process.stderr.write(`Servers for the tests: ${amqp} ${mongoDb}\n`);
  command = spawn(program, args, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      WAYBILL_TEST_AMQP: amqp,
      WAYBILL_TEST_MONGODB: mongoDb,
      WAYBILL_TEST_MONGODB_START: `"${process.execPath}" "${mongoJavaServer}" {port} {folder}`,
      WAYBILL_TEST_NGINX: programFile('nginx'),
      WAYBILL_TEST_FAKETIME: falseTimeLibrary(),
    },
  });
  const [code] = await once(command, 'exit');
  process.exitCode = code ?? 128;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 3;
} finally {
  await stopAll();
}

async function startRabbitMq() {
  const server = await RabbitMqServer.create();
  stops.push(() => server.dispose());
  return server.url;
}

async function startMongoDb() {
  const server = spawn(process.execPath, [mongoJavaServer], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  stops.push(async () => {
    server.kill('SIGTERM');
    await ended;
  });
  const failed = ended.then(([code]) => {
    throw new Error(`The server that speaks MongoDB's protocol ended with ${code} before it was ready.`);
  });
  failed.catch(() => undefined); // It ends at the end as well.
  const [address] = await Promise.race([once(server.stdout, 'data'), failed]);
  return address.toString('utf8').trim();
}

async function stopAll() {
  await Promise.allSettled(stops.splice(0).map((stop) => stop()));
}
