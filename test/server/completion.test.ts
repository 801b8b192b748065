/** Completion scripts: bash loads its one and completes; the others are checked where their shells are installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createProgram, runCommand } from '../../server/cli/index.ts';
import { FakeWorld } from './fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-completion-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const scripts = { bash: '', zsh: '', fish: '' };
beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const world = new FakeWorld();
    expect(await runCommand(['completion', shell], world)).toBe(0);
    scripts[shell] = world.printed;
    writeFileSync(join(folder, `inward.${shell}`), world.printed);
  }
  mkdirSync(join(folder, 'here/some models'), { recursive: true });
  for (const name of ['model a.gguf', 'model-b.gguf', 'other.json']) writeFileSync(join(folder, 'here', name), '');
});

const isInstalled = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;

describe('bash', () => {
  beforeEach((context) => {
    if (!isInstalled('bash')) context.skip('bash is not installed: its completion was not tried');
  });

  /** What bash would offer for the last of these words, split as bash splits a line. */
  function complete(...words: string[]): string[] {
    const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _inward; ((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}" || :`;
    const output = execFileSync('bash', ['--norc', '-uc', program, 'bash', join(folder, 'inward.bash'), ...words], { cwd: join(folder, 'here') });
    return output.toString().split('\n').slice(0, -1).sort();
  }

  test('is registered for the command', () => {
    expect(execFileSync('bash', ['--norc', '-c', `source '${join(folder, 'inward.bash')}'; complete -p inward`]).toString()).toBe(
      'complete -F _inward inward\n',
    );
  });

  test('commands', () => {
    const names = createProgram(new FakeWorld(), () => undefined).commands.map((command) => command.name());
    expect(complete('inward', '')).toEqual([...names, 'help', '--help'].sort());
    expect(complete('inward', 'co')).toEqual(['completion', 'config']);
    expect(complete('inward', 'help', 'd')).toEqual(['deid', 'doctor']);
    expect(complete('inward', 'help', 'doctor', '')).toEqual([]);
  });

  test('options of a command, and of no other', () => {
    expect(complete('inward', 'serve', '--p')).toEqual(['--port', '--prefix-quota', '--prefix-seconds']);
    expect(complete('inward', 'run', '--p')).toEqual(['--presence-penalty']);
    expect(complete('inward', 'serve', '--queue', '5', '--max')).toEqual(['--max-sequences']);
    const serve = createProgram(new FakeWorld(), () => undefined).commands.find((command) => command.name() === 'serve');
    const flags = serve?.options.map(({ long }) => long ?? '') ?? [];
    expect(flags.length).toBeGreaterThan(20);
    expect(complete('inward', 'serve', '-')).toEqual([...flags, '-h', '--help'].sort());
  });

  test('commands below a command, and their options', () => {
    expect(complete('inward', 'key', '')).toEqual(['create', 'list', 'revoke', 'rotate', 'seal']);
    expect(complete('inward', 'key', 're')).toEqual(['revoke']);
    expect(complete('inward', 'key', 'create', '--token')).toEqual(['--token-issuer', '--token-subject', '--tokens-per-day', '--tokens-per-minute']);
    expect(complete('inward', 'key', 'create', '--priority', '')).toEqual(['batch', 'interactive']);
    expect(complete('inward', 'site', 'init', '--site', 'o')).toEqual(['other.json']);
  });

  test('values: choices, also behind an equals sign; nothing where a number is wanted', () => {
    expect(complete('inward', 'serve', '--device', '')).toEqual(['auto', 'gpu', 'lavapipe', 'swiftshader']);
    expect(complete('inward', 'serve', '--device', 'l')).toEqual(['lavapipe']);
    expect(complete('inward', 'serve', '--kv', '=')).toEqual(['f16', 'f32', 'q8']);
    expect(complete('inward', 'logits', 'm.gguf', '--kv', '=', 'f3')).toEqual(['f32']);
    expect(complete('inward', 'serve', '--port', '')).toEqual([]);
    expect(complete('inward', 'completion', '')).toEqual(['bash', 'fish', 'zsh']);
    expect(complete('inward', 'nonsense', '')).toEqual([]);
  });

  test('files where a file is wanted, with spaces in their names', () => {
    expect(complete('inward', 'run', '--model', '')).toEqual(['model a.gguf', 'model-b.gguf', 'other.json', 'some models']);
    expect(complete('inward', 'run', '--model', 'mod')).toEqual(['model a.gguf', 'model-b.gguf']);
    expect(complete('inward', 'serve', '--config', 'o')).toEqual(['other.json']);
    expect(complete('inward', 'logits', 'model-')).toEqual(['model-b.gguf']);
    expect(complete('inward', 'run', 'mod')).toEqual([]);
  });
});

for (const shell of ['zsh', 'fish'] as const)
  test(`${shell} finds no fault in its script`, ({ skip }) => {
    if (!isInstalled(shell)) return skip(`${shell} is not installed`);
    const { status, stderr } = spawnSync(shell, [...(shell === 'fish' ? ['--no-config'] : ['-f']), '-n', join(folder, `inward.${shell}`)]);
    expect([status, stderr.toString()]).toEqual([0, '']);
  });

test('every command, option and choice is in every script', () => {
  const program = createProgram(new FakeWorld(), () => undefined);
  for (const [shell, script] of Object.entries(scripts)) {
    for (const command of program.commands.flatMap((group) => [group, ...group.commands])) {
      expect(script).toContain(command.name());
      for (const { long, argChoices = [] } of command.options) {
        expect(script, `${shell} ${long}`).toContain(shell === 'fish' ? `-l ${long?.slice(2)}` : long);
        for (const choice of argChoices) expect(script, `${shell} ${long} ${choice}`).toContain(choice);
      }
    }
  }
});

test('a shell that is not known', async () => {
  const world = new FakeWorld();
  expect(await runCommand(['completion', 'tcsh'], world)).toBe(2);
  expect(world.complained).toContain('Allowed choices are bash, zsh, fish');
});
