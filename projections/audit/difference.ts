/** Something that a read model says and the log does not, or the other way round. */
export interface Difference {
  /** Name of the read model. */
  readonly projection: string;
  /** Of a document; of a sum its owner and day. */
  readonly key: string;
  /** JSON pointer into `{partition, revisions, sections, fields}`; `''` is the whole document. Of a sum `/sums/…`. */
  readonly path: string;
  /** What the log says; null where it says nothing. */
  readonly expected: unknown;
  /** What the read model holds; null where it holds nothing. */
  readonly actual: unknown;
  /**
   * Position of the first event from which on the read model never again says what the log does; null where the log
   * has no event to blame: a document, or a revision, that it knows nothing of.
   */
  readonly divergedAt: string | null;
}

export interface Deviation {
  readonly path: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Where two JSON values differ, as deep down as both have the same kind of thing. `undefined` is what is not there. */
export function deviations(expected: unknown, actual: unknown, path = ''): readonly Deviation[] {
  if (Object.is(expected, actual)) return [];
  const bothObjects = isObject(expected) && isObject(actual) && Array.isArray(expected) === Array.isArray(actual);
  if (!bothObjects || (Array.isArray(expected) && Array.isArray(actual) && expected.length !== actual.length)) {
    return [{ path, expected, actual }];
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...names].flatMap((name) => deviations(expected[name], actual[name], `${path}/${escaped(name)}`));
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** What stands at a JSON pointer; `undefined` where nothing does. */
export function valueAt(value: unknown, path: string): unknown {
  return path
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((inner, name) => (isObject(inner) ? inner[name] : undefined), value);
}
