import { systemClock } from '../infra/dist/clock/system.js';
import { dataFiles } from '../infra/dist/process/config.js';
import { openSqliteEventStore } from '../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { issueDevelopmentToken, openDevelopmentKey } from '../infra/dist/http/identity/development-key.js';
import { openSqliteReadStore } from '../infra/dist/read-store/sqlite/read-store.js';
import { projections } from '../projections/dist/read-models/projections.js';
import { measureLag } from '../shared-kernel/dist/subscriptions/measure-lag.js';

/** A token for a data folder; one that may do everything unless told whose. */
export async function tokenFor(dataFolder, claims = { sub: 'shop', roles: ['operator', 'merchant'] }) {
  const key = await openDevelopmentKey(dataFiles(dataFolder).developmentKey);
  return issueDevelopmentToken(key, claims, systemClock);
}

/** A product in a running Waybill, and a token that may do everything. */
export async function openShop(dataFolder, { writeUrl }, productId = 'tea') {
  const files = dataFiles(dataFolder);
  const token = await tokenFor(dataFolder);

  async function post(path, body) {
    const response = await fetch(writeUrl + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${token}`,
        'idempotency-key': path + JSON.stringify(body),
      },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
  function listProduct(productId, { stock } = {}) {
    return post('/v1/products', { productId, name: 'Green Tea', unitPrice: { amount: 900, currency: 'EUR' }, stock });
  }
  await listProduct(productId);

  return {
    token,
    listProduct,
    registerCustomer: (customerId) => {
      const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
      return post('/v1/customers', { customerId, name: 'Ann', phone: '+49 30 1', address });
    },
    /** Resolves when nothing has been appended for a moment and every read model is where the log is. */
    async untilProjected() {
      const store = openSqliteEventStore(files.log, { clock: systemClock });
      const readStore = openSqliteReadStore(files.readModels, { readonly: true });
      try {
        for (let before = -1; ;) {
          const head = await store.head();
          const { projections: lags } = await measureLag(projections, { store, readStore, clock: systemClock });
          if (head === before && lags.every(({ lagEvents }) => lagEvents === 0)) return;
          before = head;
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      } finally {
        await store.close();
        await readStore.close();
      }
    },
  };
}
