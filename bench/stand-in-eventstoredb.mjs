// What stands in for EventStoreDB where there is none, in a process of its own, which serves until it is asked to end.
// `node bench/stand-in-eventstoredb.mjs {port} {folder}` listens there and keeps its log in the folder, over being killed
// too; `--nodes {port},{port},{port}` behind that makes it one of several nodes, which share the folder (the first leads
// until another is told to, by `POST /admin/lead`), and other options do nothing. Without arguments it takes a free port,
// keeps its log in memory, and prints its address.
import { StandInServer } from '../infra/dist/event-store/eventstoredb/testing/stand-in-server.js';
import { runStandIn } from '../infra/dist/event-store/eventstoredb/testing/stand-in-process.js';

process.on('SIGTERM', () => process.exit(0));
const [port, folder, ...options] = process.argv.slice(2);
if (port === undefined || folder === undefined) {
  const server = await StandInServer.listen();
  process.stdout.write(`${server.url}\n`);
} else {
  const [, nodes] = options.slice(options.indexOf('--nodes'));
  await runStandIn(Number(port), folder, options.includes('--nodes') ? nodes.split(',').map(Number) : undefined);
}
