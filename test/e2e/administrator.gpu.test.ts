/**
 * docs/administrator.md as it stands: its ten commands, one after the other, in an empty folder, by a shell. Only what the page itself
 * leaves to the reader is given here: the clone, certificates, a model, a passphrase and the document.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { findPython } from '../../runtime/launch.ts';
import { type Layer, layerNames } from '../../runtime/layers/types.ts';
import { root } from '../../scripts/node.mjs';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-administrator-'));
let server: ChildProcess | undefined;
afterAll(async () => {
  if (server !== undefined && server.exitCode === null) {
    const ended = new Promise((resolve) => server?.once('close', resolve));
    server.kill('SIGKILL');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
});

/** The commands of the page's first block, in their order. */
function readCommands(): string[] {
  const page = readFileSync(join(root, 'docs/administrator.md'), 'utf8');
  const [, block = ''] = /## Ten commands\n\n```sh\n([\s\S]*?)```/.exec(page) ?? [];
  return block.trim().split('\n');
}

async function findPort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function prepare(): Promise<NodeJS.ProcessEnv> {
  const certificates = join(root, 'test/fixtures/tls');
  const key = join(folder, 'server.key');
  copyFileSync(join(certificates, 'server.test-only.key'), key);
  chmodSync(key, 0o600);
  writeFileSync(join(folder, 'phrase.txt'), 'correct horse battery staple\n', { mode: 0o600 });
  writeFileSync(join(folder, 'agreement.pdf'), 'the executed document');
  mkdirSync(join(folder, 'tmp'));
  return {
    ...process.env,
    TMPDIR: join(folder, 'tmp'),
    INWARD_SITE: join(folder, 'site'),
    INWARD_LOG: 'json',
    // The machine of whoever runs the tests is no hospital's.
    INWARD_SWAP: 'allow',
    MODEL: readOracle('gguf_llama_q4_1').modelPath,
    DEVICE: testDevice(),
    HOST: '127.0.0.1',
    PORT: String(await findPort()),
    CERT: join(certificates, 'server.crt'),
    CERT_KEY: key,
    CA: join(certificates, 'authority.crt'),
    EXPIRES: new Date(Date.now() + 365 * 86_400_000).toISOString().slice(0, 10),
  };
}

test('ten commands lead from nothing to the first answer, over TLS, under a signed agreement, with a scoped key', async ({ skip }) => {
  const commands = readCommands();
  expect(commands.length).toBeGreaterThan(5);
  expect(commands.length).toBeLessThanOrEqual(10);
  skip(
    await promisify(execFile)('curl', ['--version']).then(
      () => false,
      () => true,
    ),
    'there is no curl on this machine',
  );
  const env = await prepare();
  const run = (line: string) =>
    promisify(execFile)('sh', ['-c', line.replace(/^bin\/inward\.mjs/, `'${process.execPath}' '${join(root, 'bin/inward.mjs')}'`)], { cwd: folder, env });
  let answers = 0;
  for (const line of commands) {
    // The clone is this one.
    if (line.startsWith('git clone')) continue;
    if (line.includes('inward.mjs serve')) {
      server = await startServer(line, env);
      continue;
    }
    const { stdout } = await run(line);
    if (!line.includes('curl ')) continue;
    answers++;
    const answer = JSON.parse(stdout) as { readonly usage: { readonly completion_tokens: number } };
    expect(answer.usage.completion_tokens).toBeGreaterThan(0);
  }
  expect(answers).toBe(1);
  const headers = await run(`curl -s -o /dev/null -D - --cacert "$CA" "https://localhost:$PORT/v1/models" -H "authorization: Bearer $(cat scribe.key)"`);
  expect(headers.stdout).toMatch(/^HTTP\/1\.1 200/);
  expect(headers.stdout).toMatch(/x-inward-mode: phi\r/);
  expect(headers.stdout).toMatch(/x-inward-region: us-east\r/);
  expect(headers.stdout).toMatch(/x-inward-agreement: agr-[a-z0-9]+\r/);
  expect(headers.stdout).toMatch(/x-inward-manifest: [0-9a-f]{64}\r/);
  const { stdout } = await run(
    'curl -s --cacert "$CA" "https://localhost:$PORT/inward/status" -H "authorization: Bearer $(cat "$INWARD_SITE/a.smith.identity")"',
  );
  checkLayers((JSON.parse(stdout) as { readonly layers: readonly Layer[] }).layers);
});

/** Of a server for PHI, as it is installed: whatever this machine can have is held. What the machine itself decides is told, and not ours. */
function checkLayers(layers: readonly Layer[]): void {
  expect(layers.map(({ name }) => name)).toEqual(layerNames);
  const lacking = new Set(layers.flatMap(({ name, state }) => (state === 'held' ? [] : [name])));
  // A kernel without Landlock has neither.
  if (lacking.delete('signals')) lacking.delete('files');
  for (const name of ['swap', 'core-handler'] as const) lacking.delete(name);
  expect([...lacking]).toEqual(findPython() === undefined ? ['privileges', 'calls', 'sockets'] : []);
}

/** Resolves once it listens. */
function startServer(line: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `exec ${line.replace(/^bin\/inward\.mjs/, `'${process.execPath}' '${join(root, 'bin/inward.mjs')}'`)}`], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  return new Promise((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      printed += chunk;
      if (printed.includes('"event":"listening"')) resolve(child);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('close', (code) => reject(new Error(`the server ended with ${code}: ${printed}`)));
  });
}
