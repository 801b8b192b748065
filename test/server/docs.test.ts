/** The papers name what the program has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderSettings, settingsPath } from '../../scripts/docs/settings.ts';
import { root } from '../../scripts/node.mjs';
import { buildApp } from '../../server/app.ts';
import { exitCodes } from '../../server/cli/exit.ts';
import { createProgram, runCommand } from '../../server/cli/index.ts';
import { environmentName, flagName, type Setting, settingTable } from '../../server/config/table.ts';
import { parseSettings } from '../../server/config.ts';
import { refusalTable } from '../../server/privacy/errors.ts';
import { readExposition } from '../exposition.ts';
import { FakeEngine } from '../fake-engine.ts';
import { FakeText } from '../fake-text.ts';
import { openTo } from './doorkeeper.ts';
import { FakeWorld } from './fake-world.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const [configuration, commandLine] = [read(settingsPath), read('docs/command-line.md')];

test('the table of settings is the one of the program', () => {
  expect(renderSettings(configuration)).toBe(configuration);
  for (const [name, row] of Object.entries<Setting>(settingTable))
    for (const part of [`\`${name}\``, `\`--${flagName(name, row)}\``, `\`${environmentName(name)}\``, row.help]) expect(configuration).toContain(part);
  expect(() => renderSettings('a page without marks')).toThrow('has no place for the table');
});

test('every command and every option is in one of the two papers', () => {
  const pages = configuration + commandLine;
  for (const command of createProgram(new FakeWorld(), () => undefined).commands) {
    expect(commandLine, command.name()).toMatch(new RegExp(`\\| \`${command.name()}\\b`));
    for (const { long } of command.options) expect(pages, `${command.name()} ${long}`).toMatch(new RegExp(`\`?${long}\\b`));
    for (const below of command.commands) {
      const name = `${command.name()} ${below.name()}`;
      expect(commandLine, name).toContain(`\`${name}`);
      for (const { long } of below.options) expect(pages, `${name} ${long}`).toMatch(new RegExp(`\`?${long}\\b`));
    }
  }
});

test('every metric is in the paper, and no other', async () => {
  const engine = new FakeEngine({ script: () => [] });
  await using app = buildApp({ ...openTo({ engine, text: new FakeText() }), settings: parseSettings({}) });
  const page = readExposition((await app.inject({ url: '/metrics' })).body);
  const [, section = ''] = /\n## Metrics\n(.*?)\n## /s.exec(read('docs/api.md')) ?? [];
  const older = ['queries', 'hits'].map((name) => `vllm:gpu_prefix_cache_${name}_total`);
  const told = [...section.matchAll(/`((?:vllm:|inward_)\w+)`/g)].flatMap(([, name = '']) => name);
  expect([...new Set([...told, ...older])].sort()).toEqual([...page.keys()].sort());
});

test('every record of the log is in the paper, and every code that a client can get', () => {
  const api = read('docs/api.md');
  const [, log = ''] = /\n## Log\n(.*)/s.exec(api) ?? [];
  const [, levels = ''] = /^const levels\b[^{]*\{(.*?)^\};/ms.exec(read('server/log.ts')) ?? [];
  const events = [...levels.matchAll(/^ {2}(\w+): '/gm)].map(([, event = '']) => event);
  expect(events.length).toBeGreaterThan(30);
  expect(events.filter((event) => !log.includes(`\`${event}\``))).toEqual([]);
  const [, errors = ''] = /\n## Errors\n(.*?)\n## /s.exec(api) ?? [];
  const codes = [...Object.keys(refusalTable), ...[...read('server/openai/errors.ts').matchAll(/^ {2}(\w+): \{\s+status: /gm)].map(([, code = '']) => code)];
  expect(codes.filter((code) => !errors.includes(`\`${code}\``))).toEqual([]);
});

test('exit codes are the same in the papers and in the help', async () => {
  const world = new FakeWorld();
  expect(await runCommand(['--help'], world)).toBe(0);
  for (const [code, meaning] of exitCodes) {
    expect(commandLine).toContain(`\n| ${code} | ${meaning.split(/[,;]/)[0]}`);
    expect(world.printed).toMatch(new RegExp(`^ +${code}  ${meaning.slice(0, 20)}`, 'm'));
  }
});
