/**
 * `inward prove` on the program as it is, and on copies with planted leaks, each of which must make the right claim fail, at the right place.
 * The program as it is with SmolLM2, the others with a tiny model, every case once; INWARD_FULL: 50 requests a route.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cacheFolder } from '../../runtime/drivers.ts';
import { openText } from '../../runtime/text/index.ts';
import { root } from '../../scripts/node.mjs';
import { defaultModel } from '../../scripts/setup/model.ts';
import { parseSettings } from '../../server/config.ts';
import { canTrace } from '../../server/prove/child.ts';
import { type Claim, claimNames, type Finding } from '../../server/prove/claims.ts';
import { createReport } from '../../server/prove/report.ts';
import { type Proof, type ProveOptions, prove } from '../../server/prove/run.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { sampleCases } from '../sample.ts';
import { plant, plants } from './plants.ts';

const isTraced = canTrace(process.env);
/** Without strace what is left undone cannot be seen. */
const traced: readonly Claim[] = isTraced ? [] : ['files', 'network', 'isolation'];

async function proveProgram(program: string, options: Partial<ProveOptions> & { readonly model?: string } = {}): Promise<Proof> {
  const folder = mkdtempSync(join(tmpdir(), 'inward-proof-'));
  try {
    const model = options.model ?? readOracle('gguf_llama_q4_1').modelPath;
    // The text process is replaced after a minute without a request: here at once, so that nobody has to wait for it.
    const renewal = options.requests === undefined ? { textRenewIdleMs: 1000 } : {};
    const settings = parseSettings({ model, device: testDevice(), context: 256, tune: false, bodyLimit: 100_000, ...renewal });
    const { requests = 1, idleMs = 30_000, environment = process.env } = options;
    const encode = async (word: string): Promise<Uint32Array> => {
      await using text = await openText({ modelPath: model });
      return await text.encode(word, { addSpecial: false });
    };
    const proof = await prove({ program, settings, encode, environment, folder, requests, idleMs, onProgress: () => undefined });
    // Nothing of the trace is left.
    expect(readdirSync(folder).toSorted()).toEqual(['copy', 'settings.json', 'site', 'tmp', 'work']);
    return proof;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const resultsOf = ({ findings }: Proof): Readonly<Record<string, string>> => Object.fromEntries(findings.map(({ claim, result }) => [claim, result]));
const findingOf = ({ findings }: Proof, claim: string): Finding | undefined => findings.find((finding) => finding.claim === claim);
const copiesOf = ({ memory }: Proof, process: string): number =>
  memory.processes.reduce((sum, { kind, count }) => sum + (kind === process ? (count ?? 0) : 0), 0);

const smollm2 = join(cacheFolder(), 'models', defaultModel.file);
const isSmollm2Here = existsSync(smollm2);
if (!isSmollm2Here) console.log('SmolLM2 is not in the cache, the proof is of a tiny model: node scripts/setup.mjs fetches it');

/** Some twenty seconds where nobody else uses the machine. */
const slowMs = 400_000;
const isLinux = process.platform === 'linux';
beforeEach(({ skip }) => skip(!isLinux, 'a proof needs what only Linux tells of processes'));

describe('every case once', () => {
  let clean: Proof;
  beforeAll(async () => {
    if (isLinux) clean = await proveProgram(root, isSmollm2Here ? { model: smollm2 } : {});
  }, slowMs);

  test('the program as it is keeps every claim', () => {
    const results = resultsOf(clean);
    for (const claim of claimNames) {
      expect([claim, results[claim], findingOf(clean, claim)?.places]).toEqual([claim, traced.includes(claim) ? 'not proven' : 'passed', []]);
    }
    console.log(`copies of markers in memory: ${clean.memory.processes.map(({ kind, count }) => `${kind} ${count}`).join(', ')}`);
  });

  test('every route was asked, and every way of being refused was taken', () => {
    const { routes } = clean.traffic;
    expect(routes.map(({ route }) => route)).toContain('/inward/status');
    // A model that writes has no vectors.
    for (const { route, statuses } of routes) expect([route, statuses[route === '/v1/embeddings' ? '400' : '200'] ?? 0]).not.toEqual([route, 0]);
    const chat = routes.find(({ route }) => route === '/v1/chat/completions')?.statuses ?? {};
    for (const status of ['200', '400', '401', '403', '404', '405', '413', '415', '504', 'left']) expect([status, chat[status] ?? 0]).not.toEqual([status, 0]);
  });

  test('the report takes its record and holds no marker', () => {
    const report = createReport(clean, { settings: parseSettings({}), software: 'ab'.repeat(32), begun: 0, ended: 1000 });
    expect(JSON.stringify(report)).not.toContain(clean.markers.stem);
  });

  test.each(sampleCases('programs with planted leaks', ['first', 'second'] as const, 1))(
    'planted leaks are caught, the %s program',
    { timeout: slowMs },
    async (name) => {
      using program = plant(plants[name]);
      // What is kept for good is there at the first look.
      const proof = await proveProgram(program.folder, name === 'second' ? { idleMs: 500 } : {});
      const caught = plants[name].flatMap((leak) => Object.entries(leak.caught).map(([claim, place]) => ({ leak: leak.name, claim, place })));
      for (const { leak, claim, place } of caught) {
        const finding = findingOf(proof, claim);
        // A connection that fails at once is seen by a trace only.
        if (claim === 'network' && !isTraced) continue;
        expect([leak, finding?.result]).toEqual([leak, 'failed']);
        if (!traced.includes(claim as Claim))
          expect(
            finding?.places.some(({ where, process }) => place.where.test(where) && process === place.process),
            leak,
          ).toBe(true);
      }
      // And no other.
      const expected = new Set(caught.map(({ claim }) => claim));
      expect(proof.findings.filter(({ claim, result }) => result === 'failed' && !expected.has(claim))).toEqual([]);
      // There the others keep theirs: what is caught is the server's own limit.
      if (name === 'first') return expect(findingOf(proof, 'core')?.places.filter(({ process }) => process === 'engine' || process === 'text')).toEqual([]);
      // Both plants fail the claim, so the number tells: 200 of each of the bodies that are JSON, of which there are more than
      // ten; the ids of each request that was computed, of which there are more than fifteen.
      expect(copiesOf(proof, 'server')).toBeGreaterThan(copiesOf(clean, 'server') + 2000);
      expect(copiesOf(proof, 'engine')).toBeGreaterThan(copiesOf(clean, 'engine') + 10);
    },
  );
});

describe('the long form', () => {
  const reason =
    process.env['INWARD_FULL'] === undefined
      ? 'only with --full'
      : isSmollm2Here
        ? undefined
        : 'the model is not in the cache: node scripts/setup.mjs fetches it';

  test('SmolLM2, 50 requests a route', { timeout: 1_800_000 }, async ({ skip }) => {
    skip(reason !== undefined, reason);
    const proof = await proveProgram(root, { model: smollm2, requests: 50, idleMs: 90_000 });
    console.log(`copies of markers in memory: ${proof.memory.processes.map(({ kind, count }) => `${kind} ${count}`).join(', ')}`);
    expect(proof.findings.filter(({ claim, result }) => result !== 'passed' && !traced.includes(claim))).toEqual([]);
  });

  test('without strace nothing is said to be proven that was not seen, and lasting leaks are found all the same', async ({ skip }) => {
    skip(reason !== undefined, reason);
    const environment = { ...process.env, PATH: '/nowhere' };
    const clean = resultsOf(await proveProgram(root, { environment }));
    for (const claim of ['files', 'network', 'isolation']) expect([claim, clean[claim]]).toEqual([claim, 'not proven']);
    using program = plant([...plants.first, ...plants.second].filter(({ name }) => name.startsWith('a temporary file') || name.startsWith('a socket')));
    const planted = resultsOf(await proveProgram(program.folder, { environment }));
    for (const claim of ['files', 'traces', 'isolation']) expect([claim, planted[claim]]).toEqual([claim, 'failed']);
  });
});
