import { worklistContract } from './worklist.contract.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';

worklistContract('sqlite', () => Promise.resolve(openSqliteReadStore(':memory:')));
