/** `inward model` on a terminal, and the names that other commands take since then. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCommand } from '../../../server/cli/index.ts';
import { parseSettings } from '../../../server/config.ts';
import { serve } from '../../../server/main.ts';
import { FakeWorld } from '../fake-world.ts';
import { sha256, sumsOf, tinyModel, writeFiles } from './model/help.ts';
import { TestHub } from './model/hub-server.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-model-'));
  writeFiles(join(folder, 'usb/tiny'), tinyModel());
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(...argv: string[]): Promise<{ code: number; printed: string; complained: string; world: FakeWorld }> {
  const world = new FakeWorld();
  world.folder = folder;
  world.environment = { INWARD_CACHE: join(folder, 'cache') };
  const code = await runCommand(argv, world);
  return { code, printed: world.printed, complained: world.complained, world };
}

const path = (...names: string[]): string => join(folder, 'cache/models', ...names);

test('add, list, remove', async () => {
  expect((await run('model', 'list')).printed).toBe(`There is no imported model in ${path()}, which is not there (inward model add).\n`);
  const sums = sha256(sumsOf(tinyModel()));
  const added = await run('model', 'add', 'usb/tiny');
  expect(added).toMatchObject({ code: 0, complained: '' });
  expect(added.printed).toMatch(/^The model tiny is here: 6 files, [\d.]+ KiB, from \/.*\/usb\/tiny\. SHA-256 of their list SHA256SUMS: /);
  expect(added.printed).toContain(sums);
  expect((await run('model', 'add', 'usb/tiny/', '--name', 'other')).code).toBe(0);
  // Embedding, two norms and one at the end, attention, gated unit.
  const parameters = 40 * 32 + 3 * 32 + (32 + 16 + 16 + 32) * 32 + 3 * 64 * 32;
  const { models, unfinished } = JSON.parse((await run('model', 'list', '--json')).printed);
  expect([models, unfinished]).toEqual([
    [expect.objectContaining({ name: 'other' }), expect.objectContaining({ name: 'tiny', family: 'llama', parameters, files: 6, sums })],
    [],
  ]);
  expect((await run('model', 'list')).printed).toMatch(new RegExp(`^tiny +llama +\\S+ k +6 +[\\d.]+ KiB +${sums}$`, 'm'));
  expect(await run('model', 'remove', 'tiny')).toMatchObject({ code: 0, printed: 'The model tiny is removed.\n' });
  expect(JSON.parse((await run('model', 'list', '--json')).printed).models).toHaveLength(1);
  expect((await run('model', 'remove', 'tiny')).complained).toContain('expected one of those there, found other; name one of them.');
});

test('what is not finished is told as such, and can be removed', async () => {
  writeFiles(path('.half.part'), { 'config.json': '12345' });
  writeFiles(path('bare'), tinyModel());
  expect((await run('model', 'list')).printed).toBe(
    `There is no imported model in ${path()} (inward model add).\nNot finished: half, 5 B; import it again to go on, or remove it (inward model remove half).\n`,
  );
  expect((await run('model', 'remove', 'bare')).code).toBe(1);
  expect((await run('model', 'remove', 'half')).code).toBe(0);
  expect((await run('model', 'list')).printed).not.toContain('half');
});

test.each([
  [['model', 'add', 'nowhere'], 'There is nothing at'],
  [['model', 'add', 'usb'], 'has no model'],
  [['model', 'add', 'usb/tiny', '--name', '../up'], 'The name "../up" cannot be used'],
  [['model', 'add', 'usb/tiny', '--name', '.hidden'], 'cannot be used'],
  [['model', 'add', 'usb/tiny', '--file', '*.gguf'], 'has no such model'],
  [['model', 'remove', '..'], 'cannot be used'],
])('%j is refused in one sentence', async (argv, sentence) => {
  const { code, printed, complained } = await run(...argv);
  expect([code, printed]).toEqual([1, '']);
  expect(complained).toMatch(/^[^\n]+\n$/);
  expect(complained).toContain(sentence);
});

test('a name stands for the imported model, over a file of the same name, and a path for itself', async () => {
  await run('model', 'add', 'usb/tiny');
  mkdirSync(join(folder, 'tiny'));
  const opened = async (model: string): Promise<string | undefined> => (await run('run', '--model', model, 'Hello')).world.opened[0]?.modelPath;
  expect(await opened('tiny')).toBe(path('tiny'));
  expect(await opened('./tiny')).toBe('./tiny');
  expect(await opened('other')).toBe('other');
  expect((await run('fit', 'tiny', '--memory', '1GiB')).code).toBe(0);
  expect((await run('fit', 'nobody', '--memory', '1GiB')).complained).toContain('There is no readable file at nobody.');
});

test('a name in the configuration file is a name, unless that file is beside it', async () => {
  await run('model', 'add', 'usb/tiny');
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc/c.json'), '{"model":"tiny"}');
  const opened = async (): Promise<string | undefined> => (await run('run', '--config', 'etc/c.json', 'Hello')).world.opened[0]?.modelPath;
  expect(await opened()).toBe(path('tiny'));
  mkdirSync(join(folder, 'etc/tiny'));
  expect(await opened()).toBe(join(folder, 'etc/tiny'));
});

test('another folder of models, from the settings', async () => {
  expect((await run('model', 'add', 'usb/tiny', '--model-folder', 'srv')).code).toBe(0);
  const { world } = await run('run', '--model', 'tiny', '--model-folder', 'srv', 'Hello');
  expect(world.opened[0]?.modelPath).toBe(join(folder, 'srv/tiny'));
});

test('an imported GGUF model is its first file', async () => {
  const gguf = join(import.meta.dirname, '../../fixtures/oracles/gguf_llama_q4_0/model.gguf');
  expect((await run('model', 'add', gguf, '--name', 'quantized')).printed).toContain('The model quantized is here: 1 file, 96.3 KiB, from');
  expect((await run('run', '--model', 'quantized', 'Hello')).world.opened[0]?.modelPath).toBe(path('quantized/model.gguf'));
});

test('verify: good, another file, another list, no list', async () => {
  await run('model', 'add', 'usb/tiny');
  const sums = sha256(sumsOf(tinyModel()));
  expect(await run('model', 'verify', 'tiny')).toMatchObject({ code: 0, printed: `The model is as it was listed: 6 files. SHA-256 of SHA256SUMS: ${sums}\n` });
  expect((await run('model', 'verify', path('tiny'), '--sums', sums)).code).toBe(0);
  writeFileSync(path('tiny/config.json'), '{}');
  // printf {} | sha256sum
  const differs = {
    code: 1,
    printed: expect.stringMatching(/^A file of the model is another one: expected config.json with SHA-256 \w{12}, found 44136fa355b3;[^\n]+\n$/),
  };
  expect(await run('model', 'verify', 'tiny')).toMatchObject(differs);
  expect((await run('model', 'verify', 'tiny', '--sums', '0'.repeat(64))).printed).toMatch(/^The list of sums is another one[^\n]+\n$/);
  expect((await run('model', 'verify', 'usb/tiny')).complained).toContain('SHA256SUMS cannot be used: expected a readable file, found nothing.');
});

test('a model that cannot be read any more is listed as such', async () => {
  await run('model', 'add', 'usb/tiny');
  await run('model', 'add', 'usb/tiny', '--name', 'other');
  writeFileSync(path('tiny/SHA256SUMS'), 'nothing');
  writeFileSync(path('other/config.json'), '{');
  expect((await run('model', 'list')).printed).toMatch(/^other +unreadable +- +6 .*\ntiny +llama +\S+ k +- +[\d.]+ KiB +unreadable$/m);
});

test('only the model that was approved', async () => {
  const pin = sha256(sumsOf(tinyModel()));
  const refused = await run(
    'model',
    'add',
    'usb/tiny',
    '--sums',
    pin.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
  );
  expect(refused).toMatchObject({
    code: 1,
    printed: '',
    complained: expect.stringMatching(new RegExp(`^The model is another one: [^\n]*found ${pin};[^\n]*\n$`)),
  });
  expect(JSON.parse((await run('model', 'list', '--json')).printed)).toEqual({ models: [], unfinished: ['tiny'] });
  expect((await run('model', 'add', 'usb/tiny', '--sums', pin)).code).toBe(0);
  expect((await run('model', 'add', 'usb/tiny', '--sums', 'abc')).code).toBe(2);
});

test('run checks the model before anything is loaded, where the settings say so', async () => {
  await run('model', 'add', 'usb/tiny');
  const pin = sha256(sumsOf(tinyModel()));
  const loads = async (...argv: string[]): Promise<[number, number]> => {
    const { code, world } = await run('run', '--model', 'tiny', ...argv, 'Hello');
    return [world.opened.length, code];
  };
  expect(await loads('--verify')).toEqual([1, 0]);
  expect(await loads('--model-sums', pin)).toEqual([1, 0]);
  expect(
    await loads(
      '--model-sums',
      pin.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    ),
  ).toEqual([0, 1]);
  writeFileSync(path('tiny/chat_template.jinja'), 'x');
  expect(await loads('--verify')).toEqual([0, 1]);
  expect(await loads('--model-sums', pin)).toEqual([0, 1]);
  expect(await loads()).toEqual([1, 0]);
  expect((await run('run', '--model', './usb/tiny', '--verify', 'Hello')).complained).toContain('expected a readable file, found nothing');
});

test('serve refuses to load a model that is not what was listed', async () => {
  await run('model', 'add', 'usb/tiny');
  writeFileSync(path('tiny/tokenizer.json'), '{}');
  const world = new FakeWorld();
  world.environment = { INWARD_CACHE: join(folder, 'cache') };
  const settings = parseSettings({ port: 0, site: join(folder, 'site'), model: 'tiny', verify: true });
  await expect(serve({ settings, isEvaluation: true }, world)).rejects.toThrow(/^A file of the model is another one: expected tokenizer\.json/);
  expect(world.opened).toEqual([]);
});

test('add from a hub: what is not set is told, the token is never printed', async () => {
  await using hub = await TestHub.start(tinyModel());
  expect((await run('model', 'add', 'hf:acme/tiny')).complained).toBe(
    'hf:acme/tiny is in a model hub, and no hub is set: expected its address, found none; set hub (--hub, INWARD_HUB), or import from a folder.\n',
  );
  expect((await run('model', 'add', 'hf:acme', '--hub', hub.address)).complained).toContain('"hf:acme" names no repository');
  expect((await run('model', 'add', 'hf:acme/tiny', '--hub', 'http://models.hospital.example')).code).toBe(2);
  const token = join(folder, 'token');
  writeFileSync(token, 'tok-123\n', { mode: 0o644 });
  const argv = ['model', 'add', 'hf:acme/tiny', '--hub', hub.address, '--hub-token-file', token];
  expect((await run(...argv)).complained).toContain('can be used by others (mode 0644)');
  chmodSync(token, 0o600);
  const added = await run(...argv);
  expect(added).toMatchObject({ code: 0, complained: '' });
  expect(added.printed).toContain(`6 files, `);
  expect(added.printed).toContain(
    `from acme/tiny of ${new URL(hub.address).host} at 0123456789ab. SHA-256 of their list SHA256SUMS: ${sha256(sumsOf(tinyModel()))}`,
  );
  expect(hub.asked.every(({ authorization }) => authorization === 'Bearer tok-123')).toBe(true);
  hub.fault = (_, response) => Boolean(response.writeHead(403).end());
  const refused = await run(...argv, '--name', 'other');
  expect(refused.complained).toContain('use a token that may read it');
  expect(added.printed + refused.printed + refused.complained).not.toContain('tok-123');
  writeFileSync(token, 'two words\n');
  expect((await run(...argv)).complained).toContain('holds no token');
});

test('serve has no flag of a hub', async () => {
  expect((await run('serve', '--hub', 'https://models.hospital.example')).complained).toContain("unknown option '--hub'");
});
