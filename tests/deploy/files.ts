import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { checkout, read } from '../house/checkout.js';

/** A mapping of a YAML document, whose shape its test knows. */
export type Mapping = { [key: string]: unknown };

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** All documents of a YAML file of the checkout, anchors and merges resolved. Throws for what is no YAML. */
export function yamlDocuments(path: string): readonly Mapping[] {
  return parseAllDocuments(read(path), { merge: true, prettyErrors: true }).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors.join('; ')}`);
    const value: unknown = document.toJS();
    if (!isMapping(value)) throw new Error(`${path} holds something else than mappings`);
    return value;
  });
}

/** The only document of a YAML file. */
export function yaml(path: string): Mapping {
  const [document, ...more] = yamlDocuments(path);
  if (document === undefined || more.length > 0) throw new Error(`${path} holds not one document`);
  return document;
}

/** What stands at a path of keys and indices; `undefined` where there is nothing. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => {
    if (Array.isArray(inner)) return inner[Number(key)] as unknown;
    return isMapping(inner) ? inner[key] : undefined;
  }, value);
}

/** The same where a list of mappings is expected; empty where there is none. */
export function list(value: unknown, ...path: readonly (string | number)[]): readonly Mapping[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter(isMapping) : [];
}

/** The same where a mapping is expected; empty where there is none. */
export function mapping(value: unknown, ...path: readonly (string | number)[]): Mapping {
  const found = at(value, ...path);
  return isMapping(found) ? found : {};
}

/** Paths of the files in a folder of the checkout and below. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(join(checkout, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** An image with a tag that says one version, not what is newest of a line. */
export const pinnedImage = /^[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*$/;
