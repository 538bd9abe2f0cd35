/** Characters of an error that are kept. */
const longest = 500;

const sealedValue = /sealed\.\d+\.[A-Za-z0-9_.-]+/g;

/** An error in one line for operators: its class and message, without the sealed values that it may quote. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(sealedValue, 'sealed').replace(/\s+/g, ' ').slice(0, longest);
}
