// What stands in for EventStoreDB where there is none, in a process of its own: prints its address, serves until it is
// told to end.
import { StandInServer } from '../infra/dist/event-store/eventstoredb/testing/stand-in-server.js';

const server = await StandInServer.listen();
process.on('SIGTERM', () => {
  server.kill();
  process.exit(0);
});
process.stdout.write(`${server.url}\n`);
