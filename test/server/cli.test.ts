import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorTable, InwardError } from '../../runtime/errors.ts';
import { createProgram, runCommand } from '../../server/cli/index.ts';
import type { LogitsReport } from '../../server/cli/logits-table.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';
import { until } from './help.ts';

/** Four tokens with probabilities 0.1, 0.2, 0.3, 0.4, turned by the last id of the prompt. */
const chances = [0.1, 0.2, 0.3, 0.4];
const logits = (ids: readonly number[]): Float32Array => Float32Array.from(chances, (_, id) => 5 + Math.log(chances[(id + (ids.at(-1) ?? 0)) % 4] ?? 0));
const createLogitsWorld = (): FakeWorld =>
  new FakeWorld({ logits, info: { vocabularySize: 4 }, stepMs: 1, script: (ids) => Array(8).fill((7 - (ids.at(-1) ?? 0)) % 4) });

async function runLogits(...args: string[]): Promise<{ world: FakeWorld; reports: LogitsReport[] }> {
  const world = createLogitsWorld();
  expect(await runCommand(['logits', 'm.gguf', '--json', ...args], world)).toBe(0);
  const parsed = JSON.parse(world.printed) as LogitsReport | LogitsReport[];
  return { world, reports: Array.isArray(parsed) ? parsed : [parsed] };
}

function expectRanked(found: LogitsReport['top'], expected: readonly (readonly [number, number])[]): void {
  expect(found.map(({ id }) => id)).toEqual(expected.map(([id]) => id));
  // float32 logits around 5 carry 2.4e-7; the arithmetic after them is float64
  for (const [index, [, chance]] of expected.entries()) expect(Math.abs((found[index]?.logprob ?? 0) - Math.log(chance))).toBeLessThan(1e-6);
}

test('log-probabilities of the last position, ranked', async () => {
  const { reports, world } = await runLogits('--ids', '2,0', '--top', '3');
  expectRanked(reports[0]?.top ?? [], [
    [3, 0.4],
    [2, 0.3],
    [1, 0.2],
  ]);
  expect(reports[0]).toMatchObject({ greedy: [], positions: [] });
  expect(world.engine.requests[0]).toMatchObject({ maxTokens: 1, logits: 'sampled' });
  expect(world.opened[0]).toMatchObject({ modelPath: 'm.gguf', contextLength: 3, maxSequences: 1, device: 'swiftshader' });
});

test('all ids, and the sum of their probabilities is one', async () => {
  const { reports } = await runLogits('--ids', '1', '--top', 'all');
  expectRanked(reports[0]?.top ?? [], [
    [2, 0.4],
    [1, 0.3],
    [0, 0.2],
    [3, 0.1],
  ]);
  expect(Math.abs((reports[0]?.top ?? []).reduce((sum, { logprob }) => sum + Math.exp(logprob), 0) - 1)).toBeLessThan(1e-12);
});

test('equal values are ranked by id', async () => {
  const world = new FakeWorld({ logits: () => Float32Array.of(1, 2, 1, 2, 1, 0), info: { vocabularySize: 6 }, script: () => [1] });
  for (const top of ['4', 'all']) {
    world.printed = '';
    expect(await runCommand(['logits', 'm.gguf', '--ids', '0', '--top', top, '--json'], world)).toBe(0);
    expect((JSON.parse(world.printed) as LogitsReport).top.map(({ id }) => id)).toEqual([1, 3, 0, 2, 4, 5].slice(0, top === 'all' ? 6 : 4));
  }
});

test('greedy tokens with margins', async () => {
  const { reports, world } = await runLogits('--ids', '0', '--greedy', '3');
  const { greedy } = reports[0] ?? { greedy: [] };
  expect(greedy.map(({ id }) => id)).toEqual([3, 3, 3]);
  // ln 0.4 - ln 0.3
  for (const { margin } of greedy) expect(Math.abs(margin - 0.28768207245178085)).toBeLessThan(1e-6);
  expect(world.engine.requests[0]?.maxTokens).toBe(3);
  expect(world.opened[0]?.contextLength).toBe(4);
});

test('all positions, with the id that follows', async () => {
  const { reports } = await runLogits('--ids', '0,1,2', '--all-positions', '--top', '1');
  const positions = reports[0]?.positions ?? [];
  expect(positions.map(({ position, next }) => [position, next?.id])).toEqual([
    [0, 1],
    [1, 2],
    [2, undefined],
  ]);
  expectRanked(
    positions.flatMap(({ next }) => next ?? []),
    [
      [1, 0.2],
      [2, 0.4],
    ],
  );
  expect(positions.map(({ top }) => top[0]?.id)).toEqual([3, 2, 1]);
  expect(positions[2]?.top).toEqual(reports[0]?.top);
});

test('a batch runs together and comes back in its order', async () => {
  const { reports, world } = await runLogits('--ids', '0,0,0,3', '--ids', '1', '--ids', '2', '--all-positions', '--top', '1');
  expect(world.engine.peak).toBe(3);
  expect(world.opened[0]).toMatchObject({ maxSequences: 3, contextLength: 5 });
  expect(reports.map(({ positions }) => positions.length)).toEqual([4, 1, 1]);
  expect(reports.map(({ top }) => top[0]?.id)).toEqual([0, 2, 1]);
});

test('--exact, --chunk and formats reach the engine', async () => {
  const { world } = await runLogits('--ids', '1', '--exact', '--chunk', '7', '--device', 'lavapipe');
  expect(world.opened[0]).toMatchObject({ kv: 'f32', activations: 'f32', tokenBudget: 7, device: 'lavapipe' });
  expect(world.wantedDevices).toEqual(['lavapipe']);
  const { world: other } = await runLogits('--ids', '1', '--kv', 'f16', '--activations', 'int8');
  expect(other.opened[0]).toMatchObject({ kv: 'f16', activations: 'int8' });
});

test('a table for people', async () => {
  const world = createLogitsWorld();
  expect(await runCommand(['logits', 'm.gguf', '--ids', '0', '--top', '1', '--greedy', '1'], world)).toBe(0);
  expect(world.printed).toContain('         3     -0.9163');
  expect(world.printed).toContain('         3      0.2877');
});

test.each([
  ['1,,2', 2],
  ['1,-2', 2],
  ['1.5', 2],
  ['0x10', 2],
  ['', 2],
  ['1;777', 2],
  ['99999999999', 2],
  ['777', 1],
])('--ids %s ends with code %i and is not repeated', async (ids, code) => {
  const world = createLogitsWorld();
  expect(await runCommand(['logits', 'm.gguf', '--ids', ids, '--json'], world)).toBe(code);
  expect(world.complained.trim().split('\n')).toHaveLength(1);
  expect(world.complained).not.toMatch(/777|99999/);
  expect(world.printed).toBe('');
});

test.each([
  [['logits', 'm.gguf']],
  [['logits', 'm.gguf', '--ids', '1', '--top', '0']],
  [['logits', 'm.gguf', '--ids', '1', '--exact', '--kv', 'f16']],
  [['logits', 'm.gguf', '--ids', '1', '--kv', 'q9']],
  [['run', 'a', 'b']],
  [['run', 'a', '--temperature', '-1']],
  [['serve', '--port', '70000']],
  [['serve', '--device', 'abacus']],
  [['serve', '--host', 'example.org']],
  [['serve', '--queue', '-1']],
  [['serve', '--kv', 'q4']],
  [['serve', '--max-sequences', '0']],
  [['chat', 'a question']],
  [['chat', '--min-p', '2']],
  [['doctor', '--port', '1']],
  [['config', '--schema', '--show']],
  [['completion']],
  [['serve', '--flux']],
  [['fly']],
  [[]],
])('%j cannot be used', async (args) => {
  const world = createLogitsWorld();
  expect(await runCommand(args, world)).toBe(2);
  expect(world.complained).not.toBe('');
  expect(world.opened).toHaveLength(0);
});

const commands = ['serve', 'run', 'chat', 'doctor', 'config', 'logits', 'completion'];
test.each([['--help'], ...commands.map((name) => [name, '--help'])].map((args) => [args]))('%j explains with examples', async (args) => {
  const world = new FakeWorld();
  expect(await runCommand(args, world)).toBe(0);
  expect(world.printed).toMatch(/Usage: inward .*Examples:\n {2}inward /s);
});

test('logits that are not finite are an error, not numbers', async () => {
  const world = new FakeWorld({ logits: () => Float32Array.of(1, Number.NaN), info: { vocabularySize: 2 }, script: () => [1] });
  expect(await runCommand(['logits', 'm.gguf', '--ids', '0', '--json'], world)).toBe(1);
  expect(world.printed).toBe('');
});

test('a bad model file is one sentence and code 1', async () => {
  const world = new FakeWorld();
  world.openEngine = () => Promise.reject(new InwardError('gguf_invalid', { part: 'magic', expected: 'GGUF', found: 'something else' }));
  const folder = mkdtempSync(join(tmpdir(), 'inward-cli-'));
  for (const args of [
    ['evaluate', '--port', '0', '--site', join(folder, 'site')],
    ['run', 'Hi'],
    ['logits', 'm.gguf', '--ids', '1'],
  ]) {
    world.complained = '';
    expect(await runCommand(args, world)).toBe(1);
    expect(world.complained).toBe(
      'The GGUF file is not usable: magic: expected GGUF, found something else. Fetch the file again, or convert the model anew.\n',
    );
  }
  rmSync(folder, { recursive: true, force: true });
});

test.each([['run', 'Hi'], ['chat']])('%s: a model without a tokenizer is told before anything is loaded', async (...args) => {
  const world = new FakeWorld();
  world.in.end('Hi');
  world.openText = () => Promise.reject(new InwardError('model_unsupported', { part: 'tokenizer' }));
  expect(await runCommand(args, world)).toBe(1);
  expect(world.complained).toMatch(/^The model is not supported: tokenizer: /);
  expect(world.opened).toHaveLength(0);
});

test('the remedy for a missing file names what every command takes, and no command or flag', () => {
  const { commands } = createProgram(new FakeWorld(), () => undefined);
  const { remedy } = errorTable.file_missing;
  expect(remedy).toMatch(/GGUF file.*checkpoint folder/);
  expect(commands.filter((command) => new RegExp(`\\b${command.name()}\\b(?!\\.json)`).test(remedy)).map((command) => command.name())).toEqual([]);
  expect(remedy).not.toContain('--model');
});

test('run streams the answer and tells the speed', async () => {
  const world = new FakeWorld({ stepMs: 2 });
  expect(await runCommand(['run', 'Hi', '--max-tokens', '50', '--temperature', '0.5', '--top-p', '0.9', '--seed', '3', '--model', 'm.gguf'], world)).toBe(0);
  expect(world.printed).toBe('Hello, world.\n');
  expect(world.complained).toMatch(/^9 prompt tokens, first token after \d+\.\d\d s, 14 tokens, \d+\.\d tok\/s; not for PHI: no agreement was checked\n$/);
  expect(world.engine.requests[0]).toMatchObject({ maxTokens: 50, sampling: { temperature: 0.5, topP: 0.9, seed: 3 }, stopIds: [256] });
  expect(world.opened[0]).toMatchObject({ modelPath: 'm.gguf', maxSequences: 1 });
});

test('run takes the default model and reads - from standard input', async () => {
  const world = new FakeWorld();
  world.in.end('from a pipe\n');
  expect(await runCommand(['run', '-'], world)).toBe(0);
  expect(world.opened[0]?.modelPath).toBe('/models/default.gguf');
  expect(world.text.chats[0]).toEqual([{ role: 'user', content: 'from a pipe' }]);
});

test('run gives a terminal no control characters', async () => {
  const world = new FakeWorld({ script: say('a\x1b]0;title\x07b\nc') });
  Object.assign(world.out, { isTTY: true });
  expect(await runCommand(['run', 'Hi'], world)).toBe(0);
  expect(world.printed).toBe('a\ufffd]0;title\ufffdb\nc\n');
});

test('Ctrl-C stops run cleanly', async () => {
  const world = new FakeWorld({ script: say('x'.repeat(3000)), stepMs: 2 });
  const code = runCommand(['run', 'Hi'], world);
  await until(() => world.printed.length > 3);
  world.send('SIGINT');
  expect(await code).toBe(130);
  expect(world.printed).toMatch(/^x+\n$/);
  await until(() => world.engine.running === 0);
  expect(world.engine.stepsAfterAbort).toBeLessThanOrEqual(1);
  expect(world.engine.isDisposed).toBe(true);
});

test('an error that is not ours says nothing of what it quotes', async () => {
  const world = new FakeWorld();
  world.text.failure = new TypeError('cannot encode "my prompt"');
  expect(await runCommand(['run', 'my prompt'], world)).toBe(1);
  expect(world.complained).not.toContain('my prompt');
});
