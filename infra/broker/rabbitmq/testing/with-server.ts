import { spawn } from 'node:child_process';
import { RabbitMqServer } from './rabbitmq-server.js';

// Starts a RabbitMQ server, runs a command with WAYBILL_TEST_AMQP naming it, ends the server and exits as the command
// did: `node infra/dist/broker/rabbitmq/testing/with-server.js npm test -- rabbitmq`.
const [program, ...arguments_] = process.argv.slice(2);
if (program === undefined) {
  process.stderr.write('Usage: with-server.js <command> [argument …]\n');
  process.exit(2);
}
const server = await RabbitMqServer.create();
const environment = { ...process.env, WAYBILL_TEST_AMQP: server.url };
const command = spawn(program, arguments_, { env: environment, stdio: 'inherit' });
process.exitCode = await new Promise<number>((resolve) => {
  command.once('error', () => resolve(127));
  command.once('exit', (code) => resolve(code ?? 1));
});
await server.dispose();
