import type { CallAs } from './read-side.js';

export const ada: CallAs = { sub: 'ada', roles: ['customer'] };
export const bob: CallAs = { sub: 'bob', roles: ['customer'] };
export const lumen: CallAs = { sub: 'lumen', roles: ['merchant'] };
export const cleo: CallAs = { sub: 'cleo', roles: ['courier'] };
export const carl: CallAs = { sub: 'carl', roles: ['courier'] };
export const olive: CallAs = { sub: 'olive', roles: ['operator'] };
export const otto: CallAs = { sub: 'otto', roles: ['auditor'] };
