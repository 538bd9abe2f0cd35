import { Explained } from './explained.mjs';

const oldest = [20, 19];

/** Throws when this Node is older than what the project supports. */
export function requireNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new Explained(
    `Waybill needs Node ${oldest.join('.')} or newer; this is ${version}. ` +
      'Install a current one from https://nodejs.org (or with nvm, fnm, volta) and run the command again.',
  );
}
