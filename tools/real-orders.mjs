import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../bootstrap/root.mjs';

/** The evening of Black Friday 2017, and a day on which everything had happened. */
const evening = '2017-11-24T23:59:59Z';
const afterwards = '2018-12-31T00:00:00Z';

/**
 * Takes the orders of an Olist folder through the whole path, from the command line to the read API, and compares what
 * comes out with statuses counted from the file by other code than the importer's. `note(name, ok, detail)` is told
 * each result.
 */
export async function checkRealOrders(folder, dataFolder, note) {
  const environment = { ...process.env, WAYBILL_DATA: dataFolder };
  const waybill = (...args) => command(environment, [join('bootstrap', 'waybill.mjs'), ...args]);
  const rows = readOrders(folder);

  const first = await waybill('import', 'olist', folder, '--json');
  const imported = parsed(first.stdout);
  note(
    'every real order is imported',
    first.code === 0 && imported?.orders === rows.length,
    first.stderr + first.stdout.slice(0, 500),
  );
  note('its anomalies are listed', imported?.anomalies?.length >= 58 + 8 + 4, `${imported?.anomalies?.length}`);
  const second = parsed((await waybill('import', 'olist', folder, '--json')).stdout);
  note('importing again adds nothing', second?.added === 0, JSON.stringify(second)?.slice(0, 500));

  for (const time of [evening, afterwards]) {
    const replayed = await waybill('replay', 'history', '--as-of', time, '--json');
    const documents = replayed.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    const found = Object.fromEntries(documents.map(({ orderId, status }) => [orderId, status]));
    const wrong = differences(statusesAt(rows, time), found);
    note(
      `the statuses of ${time}`,
      replayed.code === 0 && wrong.length === 0,
      `${wrong.length} differ, such as ${wrong[0]}`,
    );
  }

  await readBack(environment, rows, note);

  const audit = await waybill('audit', 'verify', '--json');
  const verified = parsed(audit.stdout);
  const equal = audit.code === 0 && verified?.ok === true && verified.differences.length === 0;
  note('every document equals the log', equal, audit.stderr + audit.stdout.slice(0, 500));
}

/** The same over HTTP, from a server on this data. */
async function readBack(environment, rows, note) {
  const { startServer } = await import('../dist/tests/support/server.js');
  const server = await startServer(environment.WAYBILL_DATA);
  try {
    const { stdout } = await command(environment, [
      join('bootstrap', 'waybill.mjs'),
      'token',
      '--role',
      'operator',
      '--sub',
      'ci',
    ]);
    const headers = { authorization: `Bearer ${stdout.trim()}` };
    const found = {};
    for (let cursor = ''; cursor !== undefined;) {
      const url = `${server.readUrl}/v1/orders?limit=100${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
      const page = await (await fetch(url, { headers })).json();
      for (const { orderId, status } of page.items) found[orderId] = status;
      cursor = page.next;
    }
    const wrong = differences(statusesAt(rows, afterwards), found);
    note(
      'the read API lists every real order as it stands',
      wrong.length === 0,
      `${wrong.length} differ, such as ${wrong[0]}`,
    );
  } finally {
    const code = await server.stop('SIGINT');
    note('the server stops cleanly', code === 0, `ended with ${code}`);
  }
}

function readOrders(folder) {
  const text = readFileSync(join(folder, 'olist_orders_dataset.csv'), 'utf8').trim();
  const [head, ...lines] = text
    .split(/\r?\n/)
    .map((line) => line.split(',').map((field) => field.replace(/^"|"$/g, '')));
  return lines.map((line) => Object.fromEntries(line.map((field, index) => [head[index], field])));
}

/** Order id → status at a time, as the folder's README says, without the one that was cancelled although delivered. */
function statusesAt(rows, time) {
  const at = time.slice(0, 19).replace('T', ' ');
  const statuses = {};
  for (const row of rows) {
    const purchase = row.order_purchase_timestamp;
    const approved = row.order_approved_at;
    const carrier = row.order_delivered_carrier_date;
    const customer = row.order_delivered_customer_date;
    if (row.order_status === 'canceled' && customer !== '') continue;
    const happened = (moment) => moment !== '' && moment <= at;
    if (!happened(purchase)) continue;
    const last = [purchase, approved, carrier, customer].sort().at(-1);
    if (row.order_status === 'canceled' && happened(last)) statuses[row.order_id] = 'cancelled';
    else if (row.order_status === 'unavailable' && happened(last)) statuses[row.order_id] = 'rejected';
    else if (happened(customer)) statuses[row.order_id] = 'delivered';
    else if (happened(carrier)) statuses[row.order_id] = 'out_for_delivery';
    else statuses[row.order_id] = happened(approved) ? 'confirmed' : 'placed';
  }
  return statuses;
}

/** At most one order more was found than expected: the one that is not checked. */
function differences(expected, found) {
  const wrong = Object.keys(expected)
    .filter((id) => found[id] !== expected[id])
    .map((id) => `${id}: ${found[id]} instead of ${expected[id]}`);
  const more = Object.keys(found).filter((id) => expected[id] === undefined);
  return more.length > 1 ? [...wrong, `${more.length} that should not be there`] : wrong;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function command(env, args) {
  return new Promise((resolve) => {
    const options = { cwd: root, env, maxBuffer: 1 << 28 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? 128), stdout, stderr });
    });
  });
}
