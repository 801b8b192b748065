/** A process that has forbidden its cores, and what a real crash of it leaves; one whose C library overwrites what it gets back. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { overwritingEnvironment } from '../../runtime/launch.ts';
import { readProcess } from '../../runtime/layers/process-facts.ts';
import { overwritingMalloc } from '../../scripts/node.mjs';

const folder = mkdtempSync(join(tmpdir(), 'inward-cores-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const script = JSON.stringify(new URL('../../scripts/node.mjs', import.meta.url).href);
const canCrash =
  process.platform === 'linux' &&
  /^[\w.%-]+$/.test(readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim()) &&
  spawnSync('/bin/sh', ['-c', 'ulimit -c unlimited']).status === 0;

/** Names of what Node, allowed cores of any size, leaves when it dies by the signal of a bad address after this code. */
function crash(code: string): string[] {
  const cwd = mkdtempSync(join(folder, 'crash-'));
  const program = `${code}; process.kill(process.pid, 'SIGSEGV'); setTimeout(() => undefined, 60000)`;
  const { signal } = spawnSync('/bin/sh', ['-c', 'ulimit -c unlimited; exec "$0" --input-type=module -e "$1"', process.execPath, program], { cwd });
  expect(signal).toBe('SIGSEGV');
  return readdirSync(cwd);
}

test('after forbidCores a real SIGSEGV leaves no core, though the process was started with leave to', (context) => {
  if (!canCrash) return context.skip('needs Linux that writes cores into the current folder, and leave to raise their limit');
  expect(crash('')).toHaveLength(1);
  expect(crash(`(await import(${script})).forbidCores()`)).toEqual([]);
});

test('it holds for soft and hard limit and for each kind of memory, and may be said twice', (context) => {
  if (process.platform !== 'linux') return context.skip('needs Linux');
  const program = `const { forbidCores } = await import(${script});
forbidCores();
forbidCores();
const { readFileSync } = await import('node:fs');
process.stdout.write(readFileSync('/proc/self/limits', 'latin1').match(/core file size.*/)[0] + readFileSync('/proc/self/coredump_filter', 'latin1'))`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(stdout).toMatch(/^core file size\s+0\s+0\s+bytes\s+00000000\s*$/);
  // This process, which has not said it, is as it was.
  expect(readProcess('self')?.coreMemory).not.toBe(0);
});

describe('memory that is given back', () => {
  const program = `import { overwriteFreed } from ${script}; overwriteFreed();
    const given = Buffer.allocUnsafeSlow(2 ** 16);
    console.log(JSON.stringify([process.pid, process.argv.slice(2), process.execArgv.slice(0, 1), process.env.GLIBC_TUNABLES, new Set(given).size, given[0]]));`;
  const start = (tunables: Record<string, string>): unknown[] => {
    const folder = mkdtempSync(join(tmpdir(), 'inward-freed-'));
    const file = join(folder, 'program.mjs');
    writeFileSync(file, program);
    const { GLIBC_TUNABLES: _, ...environment } = process.env;
    const { stdout, pid } = spawnSync(process.execPath, ['--no-warnings', file, 'a b', ''], { env: { ...environment, ...tunables }, encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    const [own, ...rest] = JSON.parse(stdout);
    return [own === pid, ...rest];
  };

  test('a command goes on as the same process, in which it is overwritten', (context) => {
    if (process.platform !== 'linux') return context.skip('needs Linux');
    expect(start({})).toEqual([true, ['a b', ''], ['--no-warnings'], overwritingMalloc, 1, 0xaa]);
    expect(start({ GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' }).slice(3)).toEqual([`glibc.malloc.arena_max=2:${overwritingMalloc}`, 1, 0xaa]);
  });

  test('so does what a command starts', (context) => {
    if (process.platform !== 'linux') return context.skip('needs Linux');
    const code = `import { overwriteFreed } from ${script}; overwriteFreed(); console.log(process.env.GLIBC_TUNABLES)`;
    const { GLIBC_TUNABLES: _, ...environment } = process.env;
    const started = `import { overwriteFreed } from ${script}; import { spawnSync } from 'node:child_process'; overwriteFreed();
      process.stdout.write(spawnSync(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(code)}], { encoding: 'utf8' }).stdout);`;
    const file = join(folder, 'starts.mjs');
    writeFileSync(file, started);
    expect(spawnSync(process.execPath, [file], { env: environment, encoding: 'utf8' }).stdout.trim()).toBe(overwritingMalloc);
  });

  test('whoever has decided is not overruled', (context) => {
    if (process.platform !== 'linux') return context.skip('needs Linux');
    expect(start({ GLIBC_TUNABLES: 'glibc.malloc.perturb=1:glibc.malloc.tcache_count=0' }).slice(3)).toEqual([
      'glibc.malloc.perturb=1:glibc.malloc.tcache_count=0',
      1,
      0xfe,
    ]);
  });

  test('the engine tells its processes the same', () => {
    expect(overwritingEnvironment.GLIBC_TUNABLES).toBe(overwritingMalloc);
  });
});
