/**
 * Measures how far `inward logits` is from the reference, with --exact and without: node scripts/oracles/run.ts [FOLDER ...], by default all in the
 * folder `oracles` of INWARD_TEST_DATA. A folder has a model (config.json or model.gguf) with golden.json and golden.safetensors
 * (test/fixtures/oracles/README.md). Prints a row of docs/distances.md for each. Refuses to judge: the bounds are in test/models.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type FolderOracle, type OraclePrompt, readFolderOracle, readGgufOracle } from '../../test/oracle.ts';
import { findTestData } from '../../test/test-data.ts';
import { root } from '../node.mjs';

interface Ranked {
  readonly id: number;
  readonly logprob: number;
}

/** What `inward logits --json` says of a prompt. */
interface Report {
  readonly positions: readonly { readonly top: readonly Ranked[] }[];
  readonly greedy: readonly { readonly id: number }[];
}

interface Measured {
  readonly distance: number;
  /** Of each prompt whose tokens differ, by how much the reference's token was ahead where they first do. */
  readonly leads: readonly number[];
}

function askModel({ modelPath, prompts, names }: FolderOracle, flags: readonly string[]): readonly Report[] {
  const ids = names.flatMap((name) => ['--ids', prompts[name].ids.join(',')]);
  const args = ['logits', modelPath, ...ids, '--greedy', '24', '--top', 'all', '--all-positions', '--json', ...flags];
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'bin/inward.mjs'), ...args], { encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(stderr.trim());
  const answer: Report | readonly Report[] = JSON.parse(stdout);
  return names.length === 1 ? [answer as Report] : (answer as readonly Report[]);
}

function logSoftmax(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const sum = Math.log(logits.reduce((all, logit) => all + Math.exp(logit - most), 0));
  return logits.map((logit) => logit - most - sum);
}

/** Of the log-probabilities of all tokens behind the prompt, and of what lies between the five likeliest at each of its positions. */
function distanceOf(golden: OraclePrompt, { positions }: Report): number {
  const last = logSoftmax(golden.lastLogits64);
  const distances = (positions.at(-1)?.top ?? []).map(({ id, logprob }) => Math.abs(logprob - (last[id] ?? Number.NaN)));
  for (const [position, { top }] of positions.entries()) {
    const found = new Map(top.map(({ id, logprob }) => [id, logprob]));
    const [ids = [], logits = []] = [golden.topIds[position], golden.topLogits[position]];
    const at = (i: number): number => found.get(ids[i] ?? -1) ?? Number.NaN;
    for (const i of ids.keys()) distances.push(Math.abs(at(0) - at(i) - ((logits[0] ?? 0) - (logits[i] ?? 0))));
  }
  return Math.max(...distances);
}

function measure(oracle: FolderOracle, flags: readonly string[]): Measured {
  const reports = askModel(oracle, flags);
  const distances: number[] = [];
  const leads: number[] = [];
  for (const [i, name] of oracle.names.entries()) {
    const [golden, report] = [oracle.prompts[name], reports[i]];
    if (report === undefined) throw new Error('an answer too few');
    distances.push(distanceOf(golden, report));
    const step = golden.greedy.findIndex((id, at) => report.greedy[at]?.id !== id);
    const [first = 0, second = 0] = golden.greedyTopLogits[step] ?? [];
    if (step >= 0) leads.push(first - second);
  }
  return { distance: Math.max(...distances), leads };
}

const short = (value: number): string => value.toExponential(1);

function listFolders(): string[] {
  const data = findTestData('every oracle');
  if (data === undefined) return [];
  const folder = join(data, 'oracles');
  return readdirSync(folder).flatMap((name) => (existsSync(join(folder, name, 'golden.json')) ? [join(folder, name)] : []));
}

const given = process.argv.slice(2);
for (const folder of given.length > 0 ? given : listFolders()) {
  const oracle = existsSync(join(folder, 'model.gguf')) ? readGgufOracle(folder) : readFolderOracle(folder);
  const [exact, standard] = [measure(oracle, ['--exact']), measure(oracle, [])];
  if (exact.leads.length > 0) throw new Error(`${basename(folder)}: with --exact ${exact.leads.length} prompts have other tokens`);
  const f16 = Math.max(...oracle.names.map((name) => oracle.half.f16?.[name] ?? Number.NaN));
  const tokens =
    standard.leads.length === 0
      ? 'the same'
      : `${standard.leads.length} of ${oracle.names.length} prompts part, at leads of ${standard.leads.map(short).join(', ')}`;
  console.log(`| ${[basename(folder), short(oracle.tolerance), short(exact.distance), short(standard.distance), short(f16), tokens].join(' | ')} |`);
}
