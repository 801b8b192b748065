/** Settings: file, environment and flags, what is refused and how, what is shown. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { describeSettings } from '../../server/cli/config.ts';
import { runCommand } from '../../server/cli/index.ts';
import { choice, wholeNumber } from '../../server/config/kinds.ts';
import { findNearest } from '../../server/config/nearest.ts';
import { type Layer, readEnvironment, readFlags, resolveSettings } from '../../server/config/resolve.ts';
import { createJsonSchema } from '../../server/config/schema.ts';
import { environmentName, flagName, type Setting, type SettingTable, settingTable } from '../../server/config/table.ts';
import { loadSettings, parseSettings, SettingsError, type Surroundings, toTokenOptions } from '../../server/config.ts';
import { FakeWorld } from './fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-config-'));
const file = join(folder, 'inward.config.json');
afterEach(() => rmSync(file, { force: true, recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (content: unknown, path = file): void =>
  writeFileSync(path, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
const here = (environment: Surroundings['environment'] = {}): Surroundings => ({ folder, environment });

test('defaults, over them the file, over that the environment, over that the flags', () => {
  write({ port: 1001, kv: 'f32', maxSequences: 3, log: 'json' });
  const { settings, sources } = loadSettings({ port: 1003, queue: 5 }, here({ INWARD_PORT: '1002', INWARD_MAX_SEQUENCES: '4' }));
  expect(settings).toMatchObject({ port: 1003, maxSequences: 4, kv: 'f32', log: 'json', queueLength: 5, host: '127.0.0.1', activations: 'f32' });
  expect(settings).not.toHaveProperty('context');
  expect(sources).toMatchObject({
    port: { from: 'flag', name: '--port' },
    queueLength: { from: 'flag', name: '--queue' },
    maxSequences: { from: 'environment', name: 'INWARD_MAX_SEQUENCES' },
    kv: { from: 'file', name: file },
    host: { from: 'default' },
    context: { from: 'default' },
  });
});

test('every setting can be given in the file, the environment, and as a flag', async () => {
  const samples: Record<string, string | number | boolean> = {
    ...{
      site: '/site',
      model: '/m.gguf',
      modelFolder: '/models',
      verify: true,
      modelSums: 'ab'.repeat(32),
      hub: 'https://models.hospital.example/hub',
      hubTokenFile: '/token',
      device: 'lavapipe',
      context: 100,
      maxSequences: 2,
      kvTokens: 200,
      queueLength: 3,
      tokenBudget: 16,
    },
    ...{ prefixSeconds: 0, prefixQuota: 25, draft: 'mtp', draftLength: 0, stages: 2, microBatches: 1, kv: 'f32' },
    ...{ expertMemory: '1.5GiB', expertHostMemory: '2GiB', activations: 'int8' },
    ...{ deterministic: false, tune: false },
    ...{ textDeadlineMs: 5, textMemoryMib: 64, textRenewRequests: 7, textRenewIdleMs: 8, host: '127.0.0.2', port: 0 },
    ...{ tlsCert: '/c.pem', tlsKey: '/k.pem', tlsClientCa: '/a.pem', tlsClients: 'required', tlsMinVersion: '1.3' },
    ...{
      oidcIssuer: 'https://id.example.org',
      oidcAudience: 'inward',
      oidcKeys: '/jwks.json',
      corsOrigins: 'https://notes.example.org,http://localhost:3000',
      bodyLimit: 2048,
    },
    ...{ requestTimeoutMs: 11, drainTimeoutMs: 0, streamCadenceMs: 50, streamGridBytes: 1024, retryAfterSeconds: 9, sharedGpu: 'record', swap: 'allow' },
    ...{ auditWitness: 'file:/mnt/second/checkpoints', auditWitnessLag: 30, log: 'human' },
  };
  expect(Object.keys(samples)).toEqual(Object.keys(settingTable));
  const rows = Object.entries<Setting>(settingTable);
  write(samples);
  const fromFile = loadSettings({}, here());
  rmSync(file);
  const fromEnvironment = loadSettings({}, here(Object.fromEntries(rows.map(([name]) => [environmentName(name), String(samples[name])]))));
  expect(fromFile.settings).toEqual(samples);
  expect(fromEnvironment.settings).toEqual(samples);
  const world = new FakeWorld();
  world.folder = folder;
  const args = rows.flatMap(([name, row]) =>
    row.isToggle ? [`--${samples[name] === true ? '' : 'no-'}${flagName(name, row)}`] : [`--${flagName(name, row)}`, String(samples[name])],
  );
  expect(await runCommand(['config', '--json', ...args], world)).toBe(0);
  const shown = JSON.parse(world.printed) as { settings: Record<string, { value: unknown; from: string }> };
  expect(Object.fromEntries(Object.entries(shown.settings).map(([name, { value }]) => [name, value]))).toEqual(samples);
  expect(new Set(Object.values(shown.settings).map(({ from }) => from))).toEqual(new Set(['flag']));
});

test('the file: --config, else INWARD_CONFIG, else the current folder, else none', () => {
  const [a, b] = [join(folder, 'a.json'), join(folder, 'b.json')];
  write({ port: 1 }, a);
  write({ port: 2 }, b);
  expect(loadSettings({}, here())).not.toHaveProperty('file');
  write({ port: 3 });
  expect(loadSettings({}, here()).file).toBe(file);
  expect(loadSettings({}, here({ INWARD_CONFIG: '' })).file).toBe(file);
  expect(loadSettings({}, here({ INWARD_CONFIG: b })).settings.port).toBe(2);
  expect(loadSettings({ config: 'a.json' }, here({ INWARD_CONFIG: b }))).toMatchObject({ file: a, settings: { port: 1 } });
  expect(() => loadSettings({ config: 'none.json' }, here())).toThrow(
    `The configuration file ${join(folder, 'none.json')} cannot be used: expected a readable file, found nothing.`,
  );
});

test('a relative path in the file means its folder; in the environment and flags the current one', () => {
  const inner = join(folder, 'inner');
  mkdirSync(inner, { recursive: true });
  write({ model: 'models/m.gguf' }, join(inner, 'c.json'));
  expect(loadSettings({ config: 'inner/c.json' }, here()).settings.model).toBe(join(inner, 'models/m.gguf'));
  expect(loadSettings({ config: 'inner/c.json' }, here({ INWARD_MODEL: 'x.gguf' })).settings.model).toBe('x.gguf');
});

test('a byte order mark and $schema do no harm', () => {
  write(`\ufeff${JSON.stringify({ $schema: './inward.schema.json', port: 4 })}`);
  expect(loadSettings({}, here()).settings.port).toBe(4);
});

// biome-ignore format: a table
test.each<[string, unknown, string]>([
  ['an unknown key', { prot: 1 }, 'FILE: unknown key "prot", did you mean "port"?'],
  ['a key written like a flag', { 'max-sequences': 1 }, 'FILE: unknown key "max-sequences", did you mean "maxSequences"?'],
  ['a key like no other', { colour: 1 }, 'FILE: unknown key "colour", `inward config --schema` lists the keys'],
  ['a key that objects have', '{"__proto__": {"port": 1}}', 'FILE: unknown key "__proto__", `inward config --schema` lists the keys'],
  ['another', '{"constructor": 1}', 'FILE: unknown key "constructor", `inward config --schema` lists the keys'],
  ['an endless key', { ['p'.repeat(1000)]: 1 }, `FILE: unknown key "${'p'.repeat(40)}...", \`inward config --schema\` lists the keys`],
  ['a text for a number', { port: '80' }, 'FILE: port must be a whole number from 0 to 65535; found "80".'],
  ['a number too large', { port: 70_000 }, 'FILE: port must be a whole number from 0 to 65535; found 70000.'],
  ['a fraction', { maxSequences: 1.5 }, 'FILE: maxSequences must be a whole number from 1 to 4096; found 1.5.'],
  ['null', { port: null }, 'FILE: port must be a whole number from 0 to 65535; found null.'],
  ['a list', { kv: ['f16'] }, 'FILE: kv must be one of f16, f32, q8; found a list.'],
  ['an object', { kv: { a: 1 } }, 'FILE: kv must be one of f16, f32, q8; found an object.'],
  ['none of the choices', { log: 'loud\u0007' }, 'FILE: log must be one of auto, json, human; found "loud\\u0007".'],
  ['an empty path', { model: '' }, 'FILE: model must be the name of an imported model, or the path of a GGUF file or a folder; found "".'],
  ['a name for an address', { host: 'example.org' }, 'FILE: host must be an IP address or localhost; found "example.org".'],
  ['an address of others', { host: '0.0.0.0' }, 'The setting host is 0.0.0.0, which other machines reach: set tlsCert and tlsKey, or a loopback address (127.0.0.1, ::1).'],
  ['a certificate alone', { tlsCert: 'c' }, 'The settings tlsCert, tlsKey go together; found tlsCert without tlsKey.'],
  ['a key alone', { tlsKey: 'k', host: '::' }, 'The settings tlsCert, tlsKey go together; found tlsKey without tlsCert.'],
  ['client certificates without TLS', { tlsClientCa: 'a' }, 'The setting tlsClientCa needs TLS: set tlsCert and tlsKey too.'],
  ['client certificates of nobody', { tlsCert: 'c', tlsKey: 'k', tlsClients: 'required' }, 'The setting tlsClients is required, but no authority of client certificates is set: set tlsClientCa too.'],
  ['a witness nowhere', { auditWitness: 'second-disk' }, 'FILE: auditWitness must be file:/path, command:/path, or the https address of a witness (http only on loopback); found "second-disk".'],
  ['a plain witness elsewhere', { auditWitness: 'http://10.1.2.3:80' }, 'FILE: auditWitness must be file:/path, command:/path, or the https address of a witness (http only on loopback); found "http://10.1.2.3:80".'],
  ['a lag of no witness', { auditWitnessLag: 5 }, 'The setting auditWitnessLag needs a witness: set auditWitness too, or leave auditWitnessLag out.'],
  ['a lag shorter than the pace', { auditWitness: 'file:/mnt/x', auditWitnessLag: 4 }, 'The setting auditWitnessLag is 4: expected 0, or 5 and more, because a witness gets a checkpoint a second.'],
  ['an old TLS', { tlsMinVersion: '1.1' }, 'FILE: tlsMinVersion must be one of 1.2, 1.3; found "1.1".'],
  ['an identity provider alone', { oidcIssuer: 'https://id' }, 'The settings oidcIssuer, oidcAudience, oidcKeys go together; found oidcIssuer without oidcAudience and oidcKeys.'],
  ['one without its name', { oidcKeys: 'k', oidcAudience: 'a' }, 'The settings oidcIssuer, oidcAudience, oidcKeys go together; found oidcAudience and oidcKeys without oidcIssuer.'],
  ['one with a blank', { oidcIssuer: 'my provider' }, 'FILE: oidcIssuer must be up to 200 printable characters without blanks; found "my provider".'],
  ['no JSON', '{\n  "port": 1,\n  port: 2\n}', 'The configuration file FILE is not JSON (line 3, column 3).'],
  ['a comma too many', '{"port": 1,}', 'The configuration file FILE is not JSON (line 1, column 12).'],
  ['a comment', '{"port": 1 // hello\n}', 'The configuration file FILE is not JSON (line 1, column 12).'],
  ['half a file', '{"port": 1', 'The configuration file FILE is not JSON (it ends too early).'],
  ['half a text', '{"port', 'The configuration file FILE is not JSON (it ends too early).'],
  ['nothing', '', 'The configuration file FILE is not JSON (it is empty).'],
  ['a list', [1], 'The configuration file FILE must hold one JSON object; found a list.'],
  ['a number', '7', 'The configuration file FILE must hold one JSON object; found 7.'],
  ['a text', '"Jane Doe"', 'The configuration file FILE must hold one JSON object; found a text.'],
  ['null', 'null', 'The configuration file FILE must hold one JSON object; found null.'],
  ['bytes that are no text', Buffer.from([0x7b, 0xff, 0x7d]), 'The configuration file FILE cannot be used: expected text in UTF-8, found other bytes.'],
  ['more than 1 MiB', `{${' '.repeat(2 ** 20)}}`, `The configuration file FILE cannot be used: expected at most 1 MiB, found ${2 ** 20 + 2} bytes.`],
])('refused: %s', async (_, content, sentence) => {
  write(content);
  const expected = sentence.replace('FILE', file);
  expect(() => loadSettings({}, here())).toThrow(new SettingsError(expected));
  // As a command says it, before anything is opened.
  for (const command of [['serve'], ['run', 'Hi'], ['chat'], ['doctor'], ['config']]) {
    const world = new FakeWorld();
    world.folder = folder;
    expect(await runCommand(command, world)).toBe(1);
    expect([world.complained, world.printed, world.opened.length]).toEqual([`${expected}\n`, '', 0]);
  }
});

test('a folder of that name is refused', () => {
  mkdirSync(file);
  expect(() => loadSettings({}, here())).toThrow('expected a file, found a folder');
});

test.each([
  ['INWARD_PORT', '80a', 'a whole number from 0 to 65535; found "80a".'],
  ['INWARD_PORT', '-1', 'a whole number from 0 to 65535; found "-1".'],
  ['INWARD_PORT', '1e3', 'a whole number from 0 to 65535; found "1e3".'],
  ['INWARD_PORT', '99999999999999999999', 'a whole number from 0 to 65535; found "99999999999999999999".'],
  ['INWARD_LOG', 'loud', 'one of auto, json, human; found "loud".'],
  ['INWARD_HOST', 'localhost.example', 'an IP address or localhost; found "localhost.example".'],
  ['INWARD_OIDC_KEYS', 'https://id.example.org/jwks', 'the path of a file, not a URL; found "https://id.example.org/jwks".'],
])('refused: %s=%s', (name, value, rest) => {
  expect(() => loadSettings({}, here({ [name]: value }))).toThrow(`The environment variable ${name} must be ${rest}`);
});

test('keys from a URL are refused in the file too, where paths mean the folder of the file', () => {
  write({ oidcIssuer: 'https://id', oidcAudience: 'a', oidcKeys: 'https://id/jwks' });
  expect(() => loadSettings({}, here())).toThrow('oidcKeys must be the path of a file, not a URL');
});

test('what the server needs for tokens', () => {
  const given = { oidcIssuer: 'https://id', oidcAudience: 'inward', oidcKeys: 'keys.json' };
  expect(toTokenOptions(parseSettings(given))).toEqual({ issuer: 'https://id', audience: 'inward', keysFile: 'keys.json' });
  expect(toTokenOptions(parseSettings({}))).toBeUndefined();
});

test('an empty variable is not set, and others are none of our business', () => {
  expect(loadSettings({}, here({ INWARD_PORT: '', INWARD_SERVICE_HOST: '10.0.0.1', INWARD_PROT: '1' })).settings.port).toBe(8080);
});

test('a wrong value is refused also where another layer is over it', () => {
  write({ port: 'x' });
  expect(() => loadSettings({ port: 1 }, here())).toThrow('port must be');
});

test('settings reach the engine, the text side and the server', async () => {
  write({ model: '/m.gguf', context: 64, maxSequences: 2, kvTokens: 128, queueLength: 0, tokenBudget: 32, kv: 'f32', textMemoryMib: 77, port: 1 });
  const world = new FakeWorld();
  Object.assign(world, { folder, environment: { INWARD_ACTIVATIONS: 'int8', INWARD_TEXT_DEADLINE_MS: '1234' } });
  world.openEngine = async (options) => {
    world.opened.push(options);
    throw new SettingsError('enough');
  };
  expect(await runCommand(['evaluate', '--port', '0', '--site', join(folder, 'site')], world)).toBe(1);
  expect(world.opened[0]).toMatchObject({
    ...{ modelPath: '/m.gguf', contextLength: 64, maxSequences: 2, kvTokens: 128, queueLength: 0, tokenBudget: 32, kv: 'f32', activations: 'int8' },
  });
  expect(world.openedTexts[0]).toEqual({ modelPath: '/m.gguf', deadlineMs: 1234, memoryMiB: 77, renewAfterRequests: 256, renewIdleMs: 60_000 });
  world.openEngine = FakeWorld.prototype.openEngine;
  world.in.end('Hi');
  expect(await runCommand(['run', 'Hi'], world)).toBe(0);
  expect(await runCommand(['chat', '--context', '99'], world)).toBe(0);
  // One reader: the rest of the file's engine holds, and flags go over it.
  expect(world.opened[1]).toMatchObject({ modelPath: '/m.gguf', contextLength: 64, maxSequences: 1, kvTokens: 128, kv: 'f32', activations: 'int8' });
  expect(world.opened[2]).toMatchObject({ contextLength: 99, maxSequences: 1 });
});

test('config --show: a line a setting, its source, and variables that look misspelt', async () => {
  write({ port: 9000 });
  const world = new FakeWorld();
  Object.assign(world, { folder, environment: { INWARD_KV: 'f32', INWARD_PROT: 'secret text', INWARD_SERVICE_HOST: 'x', INWARD_CACHE: '/c' } });
  expect(await runCommand(['config', '--show', '--log', 'json'], world)).toBe(0);
  const line = (name: string): string => world.printed.split('\n').find((entry) => entry.startsWith(`${name} `)) ?? '';
  expect(world.printed.split('\n')[0]).toBe(`configuration file: ${file}`);
  expect(line('port')).toMatch(new RegExp(`^port +9000 +file ${file}$`));
  expect(line('kv')).toMatch(/^kv +f32 +environment INWARD_KV$/);
  expect(line('log')).toMatch(/^log +json +flag --log$/);
  expect(line('host')).toMatch(/^host +127\.0\.0\.1 +default$/);
  expect(line('context')).toMatch(/^context +the model's limit, at most 4096 +default$/);
  expect(world.printed.match(/is ignored/g)).toHaveLength(1);
  expect(world.printed).toContain('INWARD_PROT is not a variable of Inward and is ignored; did you mean INWARD_PORT?');
  expect(world.printed).not.toContain('secret text');
});

test('config --json', async () => {
  const world = new FakeWorld();
  Object.assign(world, { folder, environment: { INWARD_PROT: '1' } });
  expect(await runCommand(['config', '--json', '--port', '1'], world)).toBe(0);
  expect(JSON.parse(world.printed)).toMatchObject({
    file: null,
    settings: { port: { value: 1, from: 'flag', name: '--port' }, context: { value: null, words: expect.any(String), from: 'default' } },
    ignored: ['INWARD_PROT'],
  });
  expect(await runCommand(['config', '--json', '--schema'], world)).toBe(2);
});

/** A table with a secret, as keys and roles will bring. */
interface Guarded {
  readonly token?: string;
  readonly level: 'low' | 'high';
}
const guarded: SettingTable<Guarded> = {
  token: {
    ...{ schema: z.string().min(12), expected: 'a text of 12 letters or more', read: (text: string) => text },
    ...{ value: 'text', help: 'who may ask', isSecret: true },
  },
  level: { ...choice(['low', 'high']), value: 'name', help: 'how loud', standard: 'low' },
};

test('a secret: masked wherever it comes from, in no message, marked in the schema', () => {
  const layer = (values: Record<string, unknown>): Layer => ({ values, source: () => ({ from: 'file', name: '/c.json' }) });
  const secret = 'abcdefghijklmnop';
  const shown = describeSettings(guarded, resolveSettings(guarded, [layer({ token: secret })]));
  expect(shown).toEqual({ token: { value: '********', from: 'file', name: '/c.json' }, level: { value: 'low', from: 'default' } });
  const fromEnvironment = resolveSettings(guarded, [readEnvironment(guarded, { INWARD_TOKEN: secret })]);
  expect(fromEnvironment.settings.token).toBe(secret);
  expect(JSON.stringify(describeSettings(guarded, fromEnvironment))).not.toContain('abc');
  expect(describeSettings(guarded, resolveSettings(guarded, []))['token']).toEqual({ value: null, words: 'none', from: 'default' });
  expect(() => resolveSettings(guarded, [layer({ token: 'short' })])).toThrow(
    /^\/c\.json: token must be a text of 12 letters or more; found something else\.$/,
  );
  expect(createJsonSchema(guarded)).toMatchObject({ properties: { token: { type: 'string', writeOnly: true } } });
});

test('the layer of flags takes names as commander gives them', () => {
  expect(readFlags(settingTable, { queue: 1, kvTokens: 2, config: 'x' }).values).toMatchObject({ queueLength: 1, kvTokens: 2 });
});

test('config --schema: draft 2020-12, every key, and it refuses what loading refuses', async () => {
  const world = new FakeWorld();
  expect(await runCommand(['config', '--schema'], world)).toBe(0);
  const schema = JSON.parse(world.printed) as {
    $schema: string;
    additionalProperties: boolean;
    required?: unknown;
    properties: Record<string, Record<string, unknown>>;
  };
  expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
  expect(schema.additionalProperties).toBe(false);
  expect(schema.required).toBeUndefined();
  expect(Object.keys(schema.properties)).toEqual(['$schema', ...Object.keys(settingTable)]);
  expect(schema.properties['port']).toEqual({
    type: 'integer',
    minimum: 0,
    maximum: 65_535,
    default: 8080,
    description: 'port to listen on, 0 for a free one',
  });
  expect(schema.properties['kv']).toMatchObject({ enum: ['f16', 'f32', 'q8'], default: 'f16' });
  for (const property of Object.values(schema.properties)) expect(property['description']).toMatch(/^\S.*\S$/);
  const hosts = schema.properties['host']?.['anyOf'] as { const?: string; pattern?: string }[];
  const isHost = (text: string): boolean => hosts.some((form) => form.const === text || (form.pattern !== undefined && new RegExp(form.pattern).test(text)));
  expect(['127.0.0.1', '0.0.0.0', '::1', '2001:db8::1', 'localhost'].every(isHost)).toBe(true);
  expect(['127.0.0.256', '127.1', '127.00.0.1', 'localhost.example', '1127.0.0.1', 'fe80::1%eth0'].some(isHost)).toBe(false);
});

test.each([
  ['prot', 'port'],
  ['Port', 'port'],
  ['max_sequences', 'maxSequences'],
  ['contxt', 'context'],
  ['que', undefined],
  ['x', undefined],
  ['', undefined],
  ['completely different', undefined],
  ['p'.repeat(1_000_000), undefined],
])('nearest name', (word, name) => {
  expect(findNearest(word, Object.keys(settingTable))).toBe(name);
});

test('kinds read text strictly', () => {
  const { read, schema } = wholeNumber(0, 10);
  expect(['7', '07', '10'].map((text) => schema.safeParse(read(text)).success)).toEqual([true, true, true]);
  expect(['', ' 7', '7 ', '0x7', '7.0', '+7', '11', 'NaN', 'Infinity'].some((text) => schema.safeParse(read(text)).success)).toBe(false);
});
