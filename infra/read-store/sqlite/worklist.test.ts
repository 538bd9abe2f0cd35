import { worklistContract } from '@waybill/shared-kernel/worklist.contract.js';
import { openSqliteReadStore } from './read-store.js';

worklistContract('sqlite', () => Promise.resolve(openSqliteReadStore(':memory:')));
