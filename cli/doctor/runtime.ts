import { bad, good, type Check } from './check.js';

const oldest = [20, 19] as const;

export function judgeNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
  if (isEnough) return good('node', `Node ${version}`);
  return bad('node', `Node ${version} is too old.`, `Install ${oldest.join('.')} or newer from https://nodejs.org.`);
}
