/** Owns the reading of the annotated sets: JSON lines with `text` and `spans`, offsets in UTF-16 units. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Example } from './score.ts';

/** Name, file and what is asked of the recall. */
export const sets: readonly { readonly name: string; readonly file: string; readonly goal?: number }[] = [
  { name: 'ASQ-PHI', file: 'asq-phi', goal: 0.984 },
  { name: 'hand-offs', file: 'pediatric-handoffs', goal: 0.98 },
  { name: 'presidio-research', file: 'presidio-research', goal: 0.95 },
  { name: 'FHIR patients', file: 'fhir-patients', goal: 0.98 },
  { name: 'full notes', file: 'full-notes', goal: 0.98 },
  { name: 'MEDDOCAN', file: 'meddocan-es', goal: 0.93 },
  { name: 'negatives', file: 'negatives' },
];

/** The examples of a set, or undefined where its file is not there. */
export function readSet(folder: string, file: string): Example[] | undefined {
  const path = [`${file}.dev.jsonl`, `${file}.jsonl`].map((name) => join(folder, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) return undefined;
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const { id, text, spans = [], decoys = [], template } = JSON.parse(line) as Partial<Example> & Pick<Example, 'id' | 'text'>;
    return { id, text, spans, decoys, template: template === undefined ? undefined : String(template) };
  });
}
