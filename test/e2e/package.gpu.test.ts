/**
 * The package as a user gets it: built, packed, installed by npm into an empty project, and used there: doors, types, command.
 * Left out, with the reason, where npm can reach neither its cache nor a registry.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildPackage } from '../../scripts/build/package.ts';
import { root } from '../../scripts/node.mjs';
import { CommandError, isOffline, runCommand } from '../../scripts/setup/command.ts';
import { testDevice } from '../gpu.ts';
import { readOracle } from '../oracle.ts';
import { createEvaluationSite } from './evaluation-site.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-package-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const project = join(folder, 'project');
const { modelPath, prompts } = readOracle('gguf_llama_q4_1');
// As in a user's shell: without the clone's own commands.
const env = {
  ...process.env,
  PATH: (process.env['PATH'] ?? '')
    .split(':')
    .filter((path) => !path.startsWith(root))
    .join(':'),
  INWARD_LOG: 'json',
};
const inProject = (command: string, ...args: readonly string[]) => runCommand(command, args, { cwd: project, env });
const write = (name: string, text: string) => writeFileSync(join(project, name), text);

let packed: readonly string[] = [];
let missing: string | undefined;

beforeAll(async () => {
  mkdirSync(project);
  write('package.json', JSON.stringify({ name: 'empty', version: '1.0.0', type: 'module', private: true }));
  await buildPackage(join(folder, 'package'));
  const output = await runCommand('npm', ['pack', join(folder, 'package'), '--json', '--loglevel=error', '--pack-destination', folder], { cwd: folder, env });
  const [tarball] = JSON.parse(output) as [{ readonly filename: string; readonly files: readonly { readonly path: string }[] }];
  packed = tarball.files.map(({ path }) => path);
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=1'];
  await inProject('npm', 'install', ...quiet, join(folder, tarball.filename)).catch((error: unknown) => {
    if (!isOffline(error)) throw error;
    missing = 'npm can fetch no packages here';
  });
}, 300_000);

beforeEach((context) => context.skip(missing !== undefined, missing));

test('it holds what runs, and nothing that only a developer needs', () => {
  const kernels = readdirSync(join(root, 'kernels'), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.wgsl'));
  expect(packed.filter((path) => path.endsWith('.wgsl')).sort()).toEqual(kernels.map((path) => `kernels/${path}`).sort());
  expect(packed.filter((path) => /^(test|bench|examples)\/|\.ref\.|(?<!\.d)\.ts$|fixture|\.gguf/.test(path))).toEqual([]);
  expect(packed).toEqual(
    expect.arrayContaining([
      ...['package.json', 'LICENSE', 'README.md', 'bin/inward.mjs', 'runtime/text/process.js', 'runtime/host/process.js'],
      ...['runtime/layers/process.js', 'runtime/lockdown.py'],
    ]),
  );
  const { exports, dependencies } = JSON.parse(readFileSync(join(project, 'node_modules/inward/package.json'), 'utf8'));
  const doors = Object.values(exports).flatMap((door) => (typeof door === 'string' ? [door] : Object.values(door as Record<string, string>)));
  expect(doors.length).toBe(11);
  for (const door of doors) expect(packed).toContain(door.slice(2));
  expect(dependencies).toEqual(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies);
});

test('the three doors work together, with the numbers of the reference', async () => {
  write(
    'use.mjs',
    `import { openEngine } from 'inward';
import { describeCheckpoint, openCheckpoint } from 'inward/checkpoint';
import { openText } from 'inward/text';
const [modelPath, device, ids] = process.argv.slice(2);
using checkpoint = openCheckpoint(modelPath);
await using engine = await openEngine({ modelPath, device, contextLength: 64, maxSequences: 1, kv: 'f32' });
await using text = await openText({ modelPath });
const promptIds = Uint32Array.from(JSON.parse(ids));
const tokens = [];
for await (const event of engine.generate({ promptIds, maxTokens: 24 })) if (event.type === 'token') tokens.push(event.id);
const decoder = text.createDecoder();
const back = Array.from(await text.encode('20 mg täglich'), (id) => decoder.push(id)).join('') + decoder.end();
console.log(JSON.stringify({ tokens, back, parameters: describeCheckpoint(checkpoint).parameterCount }));
`,
  );
  const { ids, greedy } = prompts.len7;
  const output = await inProject(process.execPath, 'use.mjs', modelPath, testDevice(), JSON.stringify(Array.from(ids)));
  expect(JSON.parse(output)).toEqual({ tokens: greedy, back: '20 mg täglich', parameters: expect.any(Number) });
});

test('the example, copied into the project, prints what it prints in the clone', async () => {
  const source = join(root, 'examples/embed.ts');
  // It has no types in it, so it is JavaScript as well.
  write('embed.mjs', readFileSync(source, 'utf8'));
  const args = [modelPath, 'The patient takes 20 mg'];
  using site = await createEvaluationSite();
  const withSite = { ...env, ...site.environment };
  const output = await runCommand(process.execPath, ['embed.mjs', ...args], { cwd: project, env: withSite });
  expect(output.length).toBeGreaterThan(50);
  expect(output).toBe(await runCommand(process.execPath, [source, ...args], { cwd: root, env: withSite }));
});

test('types: what is right compiles, what is wrong does not', async () => {
  write(
    'use.ts',
    `import { type Engine, InwardError, openEngine } from 'inward';
import { type Checkpoint, describeCheckpoint, openCheckpoint } from 'inward/checkpoint';
import { openText, type TextModel } from 'inward/text';
export async function use(modelPath: string): Promise<string> {
  using checkpoint: Checkpoint = openCheckpoint(modelPath);
  await using engine: Engine = await openEngine({ modelPath, maxSequences: 1 });
  await using text: TextModel = await openText({ modelPath });
  let answer = describeCheckpoint(checkpoint).family;
  for await (const event of engine.generate({ promptIds: await text.encode(''), maxTokens: 1 })) {
    if (event.type === 'token') answer += text.createDecoder().push(event.id);
  }
  // @ts-expect-error no path
  await openText({ modelPath: 7 });
  // @ts-expect-error no such code
  new InwardError('no_such_code');
  return answer;
}
`,
  );
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable', 'dom'],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['use.ts'] }));
  await inProject(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', '.');
});

test('the command, found by npx', async () => {
  const inward = (...args: readonly string[]) => inProject('npx', '--no-install', 'inward', ...args);
  expect(await inward('--help')).toMatch(/^Usage: inward /);
  const { ids, greedy } = prompts.len7;
  const output = await inward('logits', modelPath, '--device', testDevice(), '--ids', ids.join(','), '--exact', '--greedy', '8', '--top', '1', '--json');
  expect((JSON.parse(output) as { greedy: { id: number }[] }).greedy.map(({ id }) => id)).toEqual(greedy.slice(0, 8));
});

test('packing the clone itself is refused with what to do', async () => {
  const refusal = await runCommand('npm', ['pack', '--pack-destination', folder], { cwd: root, env }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(CommandError);
  expect((refusal as CommandError).output).toContain('The package is the folder dist, not this one: npm run build && npm pack ./dist');
});
