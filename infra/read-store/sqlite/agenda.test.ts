import { agendaContract } from '@waybill/shared-kernel/agenda.contract.js';
import { openSqliteReadStore } from './read-store.js';

agendaContract('sqlite', () => Promise.resolve(openSqliteReadStore(':memory:')));
