/**
 * Owns `inward embed`: texts, or token ids, as vectors. Refuses to repeat what it was given, also in a message.
 */
import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import type { Embedding, EngineOptions } from '../../runtime/index.ts';
import type { SettingName } from '../config/table.ts';
import { type Settings, toTextOptions } from '../config.ts';
import { toNumbers } from '../vectors.ts';
import type { World } from '../world.ts';
import { addSettings, collect, type Flags, parseIds, prepareEngine, readSettings, UsageError } from './options.ts';
import { openEngine } from './progress.ts';

const settings: readonly SettingName[] = ['device', 'maxSequences', 'tokenBudget', 'kv', 'activations'];

export function createEmbedCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('embed')
    .description('Turn texts into vectors with an encoder, a text a line. Outside of the agreement gate: not for PHI.')
    .argument('<model>', 'folder of safetensors files as sentence-transformers has them, or GGUF file')
    .argument('[file]', 'texts, one a line; - reads them from standard input', '-')
    .addOption(new Option('--ids <list>', 'a text as token ids with commas between, in place of a file; repeat it for more').argParser(collect()))
    .option('--truncate', 'cut texts of more tokens than the model takes; without it they are refused')
    .option('--normalize', 'vectors of length 1 (default: as the model says)')
    .option('--no-normalize', 'not --normalize')
    .option('--json', 'print a JSON array with the tokens and the vector of each text; else a vector a line');
  return addSettings(command, settings)
    .addOption(new Option('--exact', 'f32 activations and KV').conflicts(['kv', 'activations']))
    .addHelpText('after', '\nExamples:\n  inward embed ./all-MiniLM-L6-v2 texts.txt --json\n  echo "shortness of breath" | inward embed ./all-MiniLM-L6-v2')
    .action(async (model: string, file: string, flags: Flags) => onExit(await runEmbed(model, file, flags, world)));
}

async function runEmbed(model: string, file: string, flags: Flags, world: World): Promise<number> {
  const { ids, truncate, normalize, exact } = flags;
  const given = { ...readSettings(flags, world), model, tune: false };
  const exactly: Partial<EngineOptions> = exact === true ? { kv: 'f32', activations: 'f32' } : {};
  const texts: Uint32Array[] = Array.isArray(ids) ? ids.map(parseIds) : [];
  let embeddings: Embedding[] = [];
  try {
    if (texts.length === 0) await encodeLines(await readLines(file, world), texts, given, world);
    const prepared = await prepareEngine(given, world);
    await using engine = await openEngine({ ...prepared.engine, ...exactly }, world);
    embeddings = await engine.embed(texts, { truncates: truncate === true, ...(typeof normalize === 'boolean' && { normalizes: normalize }) });
    world.out.write(flags['json'] === true ? `${JSON.stringify(embeddings.map(describe))}\n` : embeddings.map(formatLine).join(''));
    world.err.write('Not for PHI: no agreement was checked.\n');
    return 0;
  } finally {
    for (const text of texts) text.fill(0);
    for (const { values } of embeddings) values.fill(0);
  }
}

/** Without the break at the end of the last line. */
async function readLines(file: string, world: World): Promise<string[]> {
  const all = file === '-' ? await readAll(world.in) : await readTexts(file);
  if (all === '') throw new UsageError('There is no text.');
  return all.replace(/\r?\n$/, '').split(/\r?\n/);
}

async function readTexts(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new UsageError('The file of texts cannot be read.');
  }
}

async function encodeLines(lines: readonly string[], into: Uint32Array[], settings: Settings & { readonly model: string }, world: World): Promise<void> {
  await using text = await world.openText(toTextOptions(settings, settings.model));
  for (const line of lines) into.push(await text.encode(line, { addSpecial: true }));
}

function describe({ values, tokens }: Embedding): { readonly tokens: number; readonly embedding: readonly number[] } {
  return { tokens, embedding: toNumbers(values) };
}

function formatLine({ values }: Embedding): string {
  return `${toNumbers(values).join(' ')}\n`;
}
