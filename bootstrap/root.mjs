import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout; everything here works from any current folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
