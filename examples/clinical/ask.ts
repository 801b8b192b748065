/**
 * Owns what the recipes share: their options, their input and a client of a running server. Every answer is a draft: a clinician reads it before it is used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import OpenAI from 'openai';

export interface Recipe {
  /** What it does, as one sentence. */
  readonly about: string;
  /** The file beside this one that it reads where none is given. */
  readonly sample: string;
  readonly maxTokens: number;
  /** A number that the recipe takes beside the others, with its default. */
  readonly extra?: { readonly name: string; readonly about: string; readonly value: number };
}

export interface Opened {
  readonly input: string;
  readonly client: OpenAI;
  readonly maxTokens: number;
  readonly extra: number;
}

/** Reads the command line; prints the help and ends where it is asked for or an option is wrong. */
export function open({ about, sample, maxTokens, extra }: Recipe): Opened {
  const help = [
    `${about}\n\nUsage: INWARD_API_KEY=... node ${process.argv[1]?.split('/').slice(-3).join('/')} [FILE] [options]\n`,
    `  FILE                what it reads; default ${sample}, which is made up`,
    '  --url URL           the server; default http://127.0.0.1:8080',
    `  --max-tokens COUNT  longest answer; default ${maxTokens}`,
    ...(extra === undefined ? [] : [`  --${`${extra.name} COUNT`.padEnd(18)}${extra.about}; default ${extra.value}`]),
  ].join('\n');
  const text = { type: 'string' } as const;
  try {
    const options = { url: text, 'max-tokens': text, help: { type: 'boolean' }, ...(extra && { [extra.name]: text }) } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (values.help) return end(help, 0);
    const given = values as Readonly<Record<string, string | undefined>>;
    return {
      input: readFileSync(positionals[0] ?? join(import.meta.dirname, sample), 'utf8'),
      client: new OpenAI({ baseURL: `${given['url'] ?? 'http://127.0.0.1:8080'}/v1`, apiKey: process.env['INWARD_API_KEY'] ?? '' }),
      maxTokens: readCount(given['max-tokens'], maxTokens),
      extra: extra === undefined ? 0 : readCount(given[extra.name], extra.value),
    };
  } catch (error) {
    return end(`${(error as Error).message}\nSee --help.`, 2);
  }
}

function readCount(given: string | undefined, standard: number): number {
  if (given !== undefined && !/^[1-9]\d{0,6}$/.test(given)) throw new Error('a count must be a whole number from 1');
  return Number(given ?? standard);
}

/** Prints and ends the program. */
export function end(message: string, code: number): never {
  (code === 0 ? process.stdout : process.stderr).write(`${message}\n`);
  process.exit(code);
}

/** Says on standard error that an answer is not whole. */
export function warnIfCut(reason: string | null | undefined): void {
  if (reason === 'length') console.error('\nThe answer was cut: raise --max-tokens.');
}
