/**
 * Owns the public sets of schemas and texts: where they lie, and what is asked of them. Files end in .gz or do not.
 * Refuses nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { compileSchema } from '../../runtime/grammar/index.ts';
import { createReach, judgeSchema, type Reach, type SchemaCase, takes } from './reach.ts';

export function readCases(path: string): SchemaCase[] {
  return readText(path)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as SchemaCase);
}

function readText(path: string): string {
  const packed = path.endsWith('.gz') ? path : `${path}.gz`;
  return existsSync(packed) ? gunzipSync(readFileSync(packed)).toString('utf8') : readFileSync(path, 'utf8');
}

/** Elsewhere the suite holds that formats are annotations, which a server that enforces them does not. */
const annotations = /\/format\.json|format-assertion|optional\/format\/unknown/;

/** Each group of a draft's files in the JSON-Schema-Test-Suite, with formats as assertions. */
export function judgeSuite(folder: string, draft: 'draft7' | 'draft2020-12'): Reach {
  const read = (name: string): Record<string, unknown> => JSON.parse(readText(join(folder, name)));
  const others = new Map(Object.entries(read('json-schema-test-suite.remotes.json')));
  const reach = createReach();
  for (const [file, groups] of Object.entries(read('json-schema-test-suite.json')))
    if (file.startsWith(`${draft}/`) && !annotations.test(file))
      for (const group of groups as SchemaCase[]) judgeSchema(reach, group, { others, draft: draft === 'draft7' ? 4 : 2020 });
  return reach;
}

/** Of the texts of JSONTestSuite about which RFC 8259 says one thing, those that the automaton of any JSON gets wrong. */
export function judgeParsing(folder: string): { readonly count: number; readonly wrong: readonly string[] } {
  const texts = JSON.parse(readText(join(folder, 'json-parsing.json'))) as { name: string; expect: string; base64: string }[];
  const start = compileSchema(true, { writing: 'any' });
  const certain = texts.filter(({ expect }) => expect !== 'either');
  const wrong = certain.filter(({ expect, base64 }) => takes(start, Buffer.from(base64, 'base64')) !== (expect === 'accept'));
  return { count: certain.length, wrong: wrong.map(({ name }) => name) };
}
