/**
 * `npm run bench:gate`: what the gate costs each request, with many keys in the store, and whether the time of a refused key tells
 * anything about it. No device is needed. What the words mean: bench/README.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { startProgress } from '../scripts/progress.mjs';
import { integer } from '../server/cli/options.ts';
import { ensureEvaluation } from '../server/evaluation.ts';
import { type Caller, findBySecret, type RouteRule } from '../server/privacy/admission.ts';
import type { Trail } from '../server/privacy/audit/trail.ts';
import { Gate } from '../server/privacy/gate.ts';
import { checkLetters, createSecret } from '../server/privacy/keys.ts';
import { openStore } from '../server/privacy/store/sqlite.ts';
import { readVersion } from '../server/privacy/version.ts';
import type { View } from '../server/privacy/view.ts';
import { describeMachine } from './machine.ts';
import { type Distribution, describeSamples } from './serve/statistics.ts';

interface GateOptions {
  readonly keys: number;
  readonly samples: number;
}

const rule: RouteRule = { scope: 'completions', isInference: true };
/** Longest time of a request at the gate, in ms at p50. */
const costLimit = 0.2;
/** Part by which the times of refused keys may differ at p50. */
const differenceLimit = 0.05;
/** Checks of a key that are timed together: one alone is near the clock's own steps. */
const together = 20;

/** Measures and prints; exit code 1 where a bound is broken. */
export async function main(args: readonly string[]): Promise<void> {
  const options = new Command('inward bench gate')
    .description('Measure what agreement, key, scopes and quotas cost each request. The last line is JSON.')
    .option('--keys <count>', 'keys in the store', integer(1, 100_000), 10_000)
    .option('--samples <count>', 'requests that are timed', integer(100, 1_000_000), 20_000)
    .addHelpText('after', '\nExamples:\n  npm run bench:gate\n  npm run bench:gate -- --keys 1000')
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse([...args], { from: 'user' })
    .opts<GateOptions>();
  const folder = mkdtempSync(join(tmpdir(), 'inward-gate-'));
  try {
    await measure(folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, options: GateOptions): Promise<void> {
  const secrets = await fillSite(folder, options.keys);
  const store = await openStore(join(folder, 'inward.sqlite'));
  // What the audit log costs: npm run bench:audit.
  await using gate = await Gate.open(store, { isLocal: true, trail: createSilentTrail() });
  const cost = await timeRequests(gate, secrets, options.samples);
  const checks = timeChecks(gate.view as View, secrets, Math.ceil(options.samples / together));
  const medians = Object.values(checks.refused).map(({ p50 }) => p50);
  const difference = Math.max(...medians) / Math.min(...medians) - 1;
  const bounds = [
    { name: `gate and key check, ms at p50 with ${options.keys} keys`, found: cost.p50, bound: costLimit, isMet: cost.p50 < costLimit },
    { name: 'difference between refused keys at p50', found: difference, bound: differenceLimit, isMet: difference <= differenceLimit },
  ];
  for (const [name, { p50, p99 }] of Object.entries({ request: cost, ...checks.refused }))
    console.log(`${name.padEnd(44)} p50 ${(1000 * p50).toFixed(1).padStart(7)} us   p99 ${(1000 * p99).toFixed(1).padStart(7)} us`);
  console.log('');
  for (const { name, found, bound, isMet } of bounds)
    console.log(`${name.padEnd(52)} ${found.toFixed(4).padStart(8)}  <= ${bound}  ${isMet ? 'met' : 'MISSED'}`);
  const short = ({ count, p50, p95, p99 }: Distribution): object => ({ count, p50, p95, p99 });
  const refused = Object.fromEntries(Object.entries(checks.refused).map(([name, distribution]) => [name, short(distribution)]));
  const date = new Date().toISOString().slice(0, 10);
  console.log(JSON.stringify({ date, version: readVersion(), machine: describeMachine(), keys: options.keys, request: short(cost), refused, bounds }));
  if (bounds.some(({ isMet }) => !isMet)) process.exitCode = 1;
}

/** A site for evaluation with so many keys; their secrets. */
async function fillSite(folder: string, count: number): Promise<readonly string[]> {
  await using store = await openStore(join(folder, 'inward.sqlite'), { create: true });
  const now = Date.now();
  await ensureEvaluation(store, folder, now);
  const [model] = (await store.load()).keys;
  if (model === undefined) throw new Error('an evaluation without a key');
  const progress = startProgress(`${count} keys`);
  const secrets: string[] = [];
  for (let made = 0; made < count; made++) {
    const { id, text, credential } = createSecret('synthetic');
    await store.addKey({ ...model, id, credential, scopes: { ...model.scopes, tokensPerMinute: 1e9, tokensPerDay: 1e12 } });
    secrets.push(text);
    progress.update((made + 1) / count);
  }
  progress.end(`${count} keys`);
  return secrets;
}

/** In ms: let in, a quota reserved and settled, ended; each time with another key. */
async function timeRequests(gate: Gate, secrets: readonly string[], samples: number): Promise<Distribution> {
  const times: number[] = [];
  for (let sample = -1000; sample < samples; sample++) {
    const caller: Caller = { authorization: `Bearer ${secrets[Math.abs(sample * 7919) % secrets.length]}`, address: '127.0.0.1' };
    const start = performance.now();
    const admission = await gate.admit(rule, caller);
    admission.granted?.checkModel('model');
    await admission.granted?.begin(100);
    admission.granted?.settle({ promptTokens: 25, completionTokens: 25, ending: 'stop' });
    admission.end();
    // The first ones are for the compiler.
    if (sample >= 0) times.push(performance.now() - start);
  }
  return describeSamples(times) as Distribution;
}

interface Checks {
  readonly refused: Readonly<Record<string, Distribution>>;
}

/** In ms for one check. The kinds take turns, in another order each time and with other keys, so that neither what the machine does nor what is in its caches tells them apart. */
function timeChecks(view: View, secrets: readonly string[], samples: number): Checks {
  const kinds: Readonly<Record<string, (turn: number) => string>> = {
    'refused: a key that is not there': () => createSecret('synthetic').text,
    'refused: another first letter of the secret': (turn) => corrupt(secrets[(turn * 7919) % secrets.length] ?? '', 0),
    'refused: another last letter of the secret': (turn) => corrupt(secrets[(turn * 7919 + 31) % secrets.length] ?? '', 51),
  };
  const times = new Map(Object.keys(kinds).map((name) => [name, [] as number[]]));
  for (let sample = -100; sample < samples; sample++) {
    for (const [name, make] of rotate(Object.entries(kinds), Math.abs(sample))) {
      const texts = Array.from({ length: together }, (_, index) => make(Math.abs(sample) * together + index));
      const start = performance.now();
      for (const text of texts) expectRefusal(view, text);
      if (sample >= 0) times.get(name)?.push((performance.now() - start) / together);
    }
  }
  return { refused: Object.fromEntries([...times].map(([name, list]) => [name, describeSamples(list) as Distribution])) };
}

function rotate<T>(list: readonly T[], by: number): readonly T[] {
  const cut = by % list.length;
  return [...list.slice(cut), ...list.slice(0, cut)];
}

function expectRefusal(view: View, text: string): void {
  try {
    findBySecret(view, text);
  } catch {
    return;
  }
  throw new Error('a corrupted key was taken');
}

/** Everything is on record at once. */
function createSilentTrail(): Trail {
  return {
    facts: { kind: 'command', version: readVersion(), profile: '0'.repeat(64) },
    lastProfile: undefined,
    checkpoint: { size: 0, note: '' },
    fault: undefined,
    record: async () => undefined,
    note: () => undefined,
    has: () => false,
    setFault: () => undefined,
    onState: () => undefined,
    follow: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** The secret with another letter at a place, and check letters that fit. */
function corrupt(text: string, place: number): string {
  const at = 'inw_eval_'.length + 10 + place;
  const head = `${text.slice(0, at)}${text[at] === 'a' ? 'b' : 'a'}${text.slice(at + 1, -6)}`;
  return `${head}${checkLetters(head)}`;
}
