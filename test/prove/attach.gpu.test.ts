/**
 * `inward prove` beside a server that runs already: the program as it is, and a copy with planted leaks. The server is not harmed: the same
 * processes answer afterwards.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { chooseDriver } from '../../runtime/drivers.ts';
import { openText } from '../../runtime/text/index.ts';
import { root } from '../../scripts/node.mjs';
import { parseSettings } from '../../server/config.ts';
import { proveAttached } from '../../server/prove/attach.ts';
import { Attached } from '../../server/prove/attached.ts';
import { canTrace } from '../../server/prove/child.ts';
import { createReport, readReport } from '../../server/prove/report.ts';
import type { Proof } from '../../server/prove/run.ts';
import { prepareSite } from '../../server/prove/site.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { until } from '../server/help.ts';
import { plant, plants } from './plants.ts';

const isTraced = canTrace(process.env);
const model = readOracle('gguf_llama_q4_1').modelPath;
const settings = parseSettings({ model, device: chooseDriver(testDevice()).name, context: 256, tune: false, bodyLimit: 100_000 });
const startMs = 100_000;

beforeEach(({ skip }) => skip(process.platform !== 'linux', 'a proof needs what only Linux tells of processes'));

interface Result {
  readonly proof: Proof;
  readonly isAlive: boolean;
}

/** A server that an operator has started, its streams in a file; and a proof beside it. */
async function attachTo(program: string, environment: NodeJS.ProcessEnv = process.env): Promise<Result> {
  const top = mkdtempSync(join(tmpdir(), 'inward-attached-'));
  const [site, work, temporary, log] = [join(top, 'site'), join(top, 'work'), join(top, 'tmp'), join(top, 'log')];
  for (const folder of [work, temporary]) mkdirSync(folder);
  const { key, auditor } = await prepareSite(site);
  const { device = '', context, bodyLimit } = settings;
  const values = [
    'evaluate',
    '--site',
    site,
    '--port',
    '0',
    '--model',
    model,
    '--device',
    device,
    '--context',
    String(context),
    '--body-limit',
    String(bodyLimit),
  ];
  const out = openSync(log, 'a');
  let child: ChildProcess | undefined;
  try {
    child = spawn(process.execPath, [join(program, 'bin/inward.mjs'), ...values, '--no-tune', '--log', 'json'], {
      ...{ cwd: top, stdio: ['ignore', out, out, 'ipc'], env: { ...process.env, TMPDIR: temporary } },
    });
    const readUrl = (): string | undefined => /^ +URL +(http:\S+)$/m.exec(readFileSync(log, 'latin1'))?.[1];
    await until(() => readUrl() !== undefined, startMs);
    const server = new Attached(child.pid ?? 0);
    const before = server.look().map(({ pid }) => pid);
    const encode = async (word: string): Promise<Uint32Array> => {
      await using text = await openText({ modelPath: model });
      return await text.encode(word, { addSpecial: false });
    };
    const proof = await proveAttached({
      ...{ server, url: readUrl() ?? '', key, auditor, purpose: 'evaluation', settings, environment, site, folder: work, encode },
      ...{ requests: 1, idleMs: 500, onProgress: () => undefined },
    });
    // Nothing of the trace is left.
    expect(readdirSync(work)).toEqual([]);
    const after = new Set(server.look().map(({ pid }) => pid));
    const answer = await fetch(`${readUrl()}/v1/completions`, {
      ...{ method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } },
      body: JSON.stringify({ model: 'default', prompt: 'a', max_tokens: 1 }),
    });
    return { proof, isAlive: answer.status === 200 && before.every((pid) => after.has(pid)) };
  } finally {
    child?.kill('SIGKILL');
    rmSync(top, { recursive: true, force: true });
  }
}

const findingOf = ({ findings }: Proof, claim: string) => findings.find((finding) => finding.claim === claim);
const resultsOf = ({ findings }: Proof): Readonly<Record<string, string>> => Object.fromEntries(findings.map(({ claim, result }) => [claim, result]));

test('a server as it is: what can be seen from beside it is proven, the rest is not, and it goes on', { timeout: 3 * startMs }, async () => {
  const { proof, isAlive } = await attachTo(root);
  expect(isAlive).toBe(true);
  expect(proof).toMatchObject({ isAttached: true, isTraced });
  const { memory: _, ...results } = resultsOf(proof);
  const byTrace = isTraced ? 'passed' : 'not proven';
  expect(proof.findings.filter(({ result, claim }) => result === 'failed' && claim !== 'memory')).toEqual([]);
  expect(results).toEqual({
    ...{ files: byTrace, traces: 'passed', streams: 'passed', metrics: 'passed', refusals: 'passed', cache: 'passed', network: byTrace, isolation: byTrace },
    // Not by a running server.
    ...{ device: 'not proven', core: 'not proven', flags: 'not proven', swap: 'passed' },
  });
  const { record } = createReport(proof, { settings, software: 'ab'.repeat(32), begun: 0, ended: 1000 });
  expect(readReport({ type: 'inward.prove.v1', record, signatures: [] }, 'x')).toMatchObject({ tried: { attached: true }, settings: { replaced: [] } });
});

test('planted leaks are caught from beside it too', { timeout: 3 * startMs }, async ({ skip }) => {
  skip(process.env['INWARD_FULL'] === undefined, 'only with --full');
  const names = /^(?:a line for debugging|a temporary file|answers that may|an error with|a label with|a buffer that is kept|a socket in|no kernel around)/;
  using program = plant([...plants.first, ...plants.second].filter(({ name }) => names.test(name)));
  const { proof, isAlive } = await attachTo(program.folder);
  expect(isAlive).toBe(true);
  const failed = proof.findings.filter(({ result }) => result === 'failed').map(({ claim }) => claim);
  const byTrace = isTraced ? ['files'] : [];
  expect(new Set(failed)).toEqual(new Set([...byTrace, 'traces', 'streams', 'metrics', 'refusals', 'cache', 'isolation', 'memory']));
  if (isTraced) expect(findingOf(proof, 'files')?.places.some(({ where, process }) => /\/tmp\/last$/.test(where) && process === 'server')).toBe(true);
});

test('what is no server of this user is refused', () => {
  expect(() => new Attached(process.pid)).toThrow(/^The process \d+ is no server/);
  expect(() => new Attached(2 ** 30)).toThrow(/^There is no process/);
});
