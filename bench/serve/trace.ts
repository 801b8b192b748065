/**
 * Owns the reading of traces: arrival times and lengths of requests that a real service got, as CSV, or as JSON lines with the blocks that
 * prompts share. Refuses a malformed line by its number, never by what it holds.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { UsageError } from '../../server/cli/options.ts';

/** One request of a trace. */
export interface TraceEntry {
  /** Since the beginning of the trace; undefined where it has lengths only. */
  readonly at: number | undefined;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Equal numbers are equal blocks of `traceBlockLength` tokens; empty where the trace does not say. */
  readonly blocks: readonly number[];
}

/** Tokens of a block in Mooncake's traces. */
export const traceBlockLength = 512;

const tokens = z.int().min(1).max(10_000_000);
const time = z.number().min(0).max(1e12);
const csvColumns = ['t_ms', 'prompt_tokens', 'output_tokens'] as const;
const entry = z.strictObject({
  t_ms: time.optional(),
  prompt_tokens: tokens,
  output_tokens: tokens,
  prefix_blocks_512: z.array(z.int().min(0)).optional(),
});
type Fields = z.infer<typeof entry>;

/** The first `limit` requests of a file, in the order of their times. Throws UsageError. */
export function readTrace(path: string, limit: number): TraceEntry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(`Expected a trace in ${path}, found no file that can be read.`);
  }
  return parseTrace(text, limit);
}

/** Throws UsageError with the number of the line that cannot be used. */
export function parseTrace(text: string, limit: number = Number.POSITIVE_INFINITY): TraceEntry[] {
  const lines = text.trimEnd().split(/\r?\n/);
  const isJson = lines[0]?.startsWith('{') === true;
  const read = isJson ? readJson : readCsv(lines[0] ?? '');
  const entries = lines.slice(isJson ? 0 : 1, (isJson ? 0 : 1) + limit).map((line, index) => {
    const number = index + (isJson ? 1 : 2);
    const result = entry.safeParse(read(line));
    if (!result.success) throw refuse(number, isJson ? 'a JSON object of t_ms, prompt_tokens, output_tokens, prefix_blocks_512' : lines[0]);
    return toEntry(result.data, number);
  });
  if (entries.length === 0) throw new UsageError('The trace holds no request.');
  return entries.sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
}

function refuse(line: number, expected = ''): UsageError {
  return new UsageError(`Line ${line} of the trace is not usable: expected ${expected}, with times from 0 in ms and counts of tokens from 1.`);
}

function toEntry({ t_ms: at, prompt_tokens: promptTokens, output_tokens: outputTokens, prefix_blocks_512: blocks = [] }: Fields, line: number): TraceEntry {
  if (blocks.length * traceBlockLength >= promptTokens + traceBlockLength)
    throw new UsageError(`Line ${line} of the trace is not usable: it names more blocks than its prompt has tokens for.`);
  return { at, promptTokens, outputTokens, blocks };
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function readCsv(head: string): (line: string) => unknown {
  const columns = head.split(',');
  const isKnown = columns.join() === csvColumns.join() || columns.join() === csvColumns.slice(1).join();
  if (!isKnown) throw new UsageError(`Line 1 of the trace is not usable: expected ${csvColumns.join()} (t_ms may be missing), or a JSON object.`);
  return (line) => {
    const cells = line.split(',');
    const isWhole = cells.length === columns.length && cells.every((cell) => /^\d+(?:\.\d+)?$/.test(cell));
    return isWhole ? Object.fromEntries(columns.map((column, index) => [column, Number(cells[index])])) : undefined;
  };
}
