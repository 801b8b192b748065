/**
 * Owns which passages are scored: a seeded sample of texts, a turn from each file, each cut to a length of its own. Refuses to keep
 * anything of a text beyond its ids.
 */
import { readFileSync } from 'node:fs';
import { UsageError } from '../../server/cli/options.ts';
import { createRandom, drawInteger, joinSeeds } from '../serve/random.ts';

/** Fields of JSON lines that are running text, in the order in which they are joined. */
const textFields = ['question', 'contexts', 'long_answer', 'dialogue', 'note', 'text'] as const;
/** Characters of a piece of a file that is no JSON lines: more than the longest passage needs by default. */
const pieceLength = 4096;

/** The texts of a file, one a line of JSON lines, else pieces of it. Throws UsageError. */
export function readTexts(file: string): string[] {
  const content = readText(file);
  if (!file.endsWith('.jsonl')) return Array.from({ length: Math.ceil(content.length / pieceLength) }, (_, i) => content.substr(i * pieceLength, pieceLength));
  return content
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      const text = textFields.flatMap((field) => strings(parseLine(line, i + 1)[field])).join('\n');
      if (text === '') throw new UsageError(`Line ${i + 1} of ${file} has none of the fields ${textFields.join(', ')}.`);
      return text;
    });
}

function parseLine(line: string, number: number): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // The parser's message quotes the line.
  }
  throw new UsageError(`Line ${number} is no JSON object.`);
}

const strings = (value: unknown): string[] => (Array.isArray(value) ? value : [value]).filter((part) => typeof part === 'string');

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`Expected a text file at ${file}, found none that can be read.`);
  }
}

export interface Sample {
  readonly passages: number;
  readonly shortest: number;
  readonly longest: number;
  readonly seed: number;
}

/** Beginnings of texts drawn from each file in turn, no text twice. Fewer than asked for where the texts are too few or too short. */
export async function drawPassages(
  texts: readonly (readonly string[])[],
  { passages, shortest, longest, seed }: Sample,
  encode: (text: string) => Promise<Uint32Array>,
): Promise<Uint32Array[]> {
  const random = createRandom(joinSeeds(seed));
  const left = texts.map((own) => [...own]);
  const drawn: Uint32Array[] = [];
  for (let turn = 0; drawn.length < passages && left.some(({ length }) => length > 0); turn++) {
    const own = left[turn % left.length] ?? [];
    // A text that is too short does not cost its file the turn.
    while (own.length > 0) {
      const [text = ''] = own.splice(drawInteger(random, 0, own.length - 1), 1);
      const length = drawInteger(random, shortest, longest);
      const ids = await encode(text);
      if (ids.length < shortest) continue;
      drawn.push(ids.slice(0, length));
      break;
    }
  }
  return drawn;
}
