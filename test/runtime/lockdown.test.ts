/**
 * What the kernel refuses to a process behind lockdown.py, by trying, beside the same process without it; and that a real crash
 * leaves nothing. Each part needs its layer in this kernel, and says so where it is missing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findPython, lockCommand } from '../../runtime/launch.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-lockdown-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const python = findPython() ?? '';
const noPython = python === '' && 'needs Linux with Python 3 at /usr/bin or /usr/local/bin';
/** What landlock(7) answers when it is asked for its version. */
const landlock =
  python === '' ? 0 : Number(execFileSync(python, ['-c', 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))'], { encoding: 'utf8' }));

type Outcomes = Readonly<Record<string, string>>;

function probe(isLocked: boolean): Outcomes {
  const place = mkdtempSync(join(folder, 'place-'));
  const [allowed, forbidden] = [join(place, 'allowed'), join(place, 'forbidden')];
  for (const path of [allowed, forbidden]) mkdirSync(path);
  writeFileSync(join(forbidden, 'kept'), 'x');
  const plain: [string, ...string[]] = [python, join(import.meta.dirname, 'lockdown-probe.py'), allowed, forbidden];
  const [command, ...values] = isLocked ? lockCommand(plain, [allowed, join(place, 'missing')]) : plain;
  const outcomes: Outcomes = JSON.parse(execFileSync(command, values, { encoding: 'utf8' }));
  if (isLocked && landlock >= 3) {
    expect(readdirSync(forbidden)).toEqual(['kept']);
    expect(readFileSync(join(forbidden, 'kept'), 'utf8')).toBe('x');
  }
  return outcomes;
}

const ofSockets = ['inet', 'inet udp', 'inet6', 'unix', 'netlink', 'pair'];
const ofFiles = ['write new', 'write kept', 'make folder', 'make link', 'make pipe', 'rename', 'shared memory', 'core filter'];
const pick = (outcomes: Outcomes, names: readonly string[]) => names.map((name) => `${name}: ${outcomes[name]}`);

test('no socket of any family, no tracing, and none of the calls that reach beyond the process', (context) => {
  if (noPython) return context.skip(noPython);
  const [free, locked] = [probe(false), probe(true)];
  expect(pick(free, ofSockets)).toEqual(ofSockets.map((name) => `${name}: done`));
  expect(pick(locked, ofSockets)).toEqual(ofSockets.map((name) => `${name}: EPERM`));
  expect([free['traced'], locked['traced']]).toEqual(['done', 'EPERM']);
  const { 'call getpid': allowed, 'call getpid as x32': _, ...calls } = Object.fromEntries(Object.entries(locked).filter(([name]) => name.startsWith('call ')));
  expect(allowed).toBe('done');
  expect(Object.keys(calls)).toHaveLength(20);
  expect(calls).toEqual(Object.fromEntries(Object.keys(calls).map((name) => [name, 'EPERM'])));
  // Without the lock they fail by their senseless arguments, whoever asks.
  for (const name of ['call ptrace', 'call process_vm_readv', 'call setxattr', 'call mq_open']) expect(free[name]).not.toBe('EPERM');
});

test('the second way to number system calls of x86-64 is closed', (context) => {
  if (noPython) return context.skip(noPython);
  if (process.arch !== 'x64') return context.skip('is about x86-64');
  expect(probe(true)['call getpid as x32']).toBe('EPERM');
});

test('calls of another architecture end the process', (context) => {
  if (noPython) return context.skip(noPython);
  if (process.arch !== 'x64') return context.skip('is about x86-64');
  // mov eax, 20 (getpid of i386); int 0x80; ret
  const program = `import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex('b814000000cd80c3'))
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))())`;
  if (spawnSync(python, ['-c', program]).status !== 0) return context.skip('needs a kernel that takes calls of i386');
  const [command, ...values] = lockCommand([python, '-c', program], []);
  expect(spawnSync(command, values).signal).toBe('SIGSYS');
});

test('no file written, made, moved or cut but where it may; reading goes on', (context) => {
  if (noPython) return context.skip(noPython);
  if (landlock < 1) return context.skip('needs a kernel with Landlock (5.13)');
  const [free, locked] = [probe(false), probe(true)];
  expect(pick(free, ofFiles.slice(0, 5))).toEqual(ofFiles.slice(0, 5).map((name) => `${name}: done`));
  expect(pick(locked, ofFiles)).toEqual(ofFiles.map((name) => `${name}: EACCES`));
  expect([free['truncate'], locked['truncate']]).toEqual(['done', landlock < 3 ? 'done' : 'EACCES']);
  // EXDEV is what Landlock says of a link from where nothing may be made to where it may.
  expect(['EACCES', 'EXDEV']).toContain(locked['link into']);
  expect([locked['read'], locked['write allowed']]).toEqual(['done', 'done']);
});

test('no signal to the parent', (context) => {
  if (noPython) return context.skip(noPython);
  if (landlock < 6) return context.skip(`needs a kernel with Landlock 6 (6.12), and this one has ${landlock}`);
  const [free, locked] = [probe(false), probe(true)];
  expect([free['signal parent'], locked['signal parent'], locked['signal itself']]).toEqual(['done', 'EPERM', 'done']);
});

test('the program gets its environment as it was given, and its arguments', (context) => {
  if (noPython) return context.skip(noPython);
  const [command, ...values] = lockCommand([process.execPath, '-p', 'JSON.stringify([process.env, process.argv.slice(1)])', 'a b', '--', 'ü'], []);
  const run = (env: NodeJS.ProcessEnv): unknown => JSON.parse(execFileSync(command, values, { encoding: 'utf8', env }));
  expect(run({ ONE: 'a=b', TWO: 'ä\n' })).toEqual([{ ONE: 'a=b', TWO: 'ä\n', PWD: process.cwd() }, ['a b', '--', 'ü']]);
});

const marker = 'a-marker-in-the-memory-of-the-process';
/** Dies by the signal of a bad address, with the marker in its memory but nowhere in its command line. */
const crash = `const kept = Buffer.from(${JSON.stringify(Buffer.from(marker).toString('base64'))}, 'base64'); process.kill(process.pid, 'SIGSEGV'); setTimeout(() => kept, 60000)`;

/** Cores that a crash leaves where the shell has said this first. */
function dump(prelude: string, command: readonly string[]): Buffer[] {
  const cwd = mkdtempSync(join(folder, 'crash-'));
  const { signal, status } = spawnSync('/bin/sh', ['-c', `${prelude}; exec "$0" "$@"`, ...command], { cwd });
  expect(signal ?? status).toBe('SIGSEGV');
  return readdirSync(cwd).map((name) => readFileSync(join(cwd, name)));
}

test('a real SIGSEGV leaves no core; nor memory in one that is written all the same', (context) => {
  const pattern = existsSync('/proc/sys/kernel/core_pattern') ? readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim() : '|';
  if (!/^[\w.%-]+$/.test(pattern)) return context.skip(`needs a machine that writes cores into the current folder, and this one has ${pattern}`);
  if (spawnSync('/bin/sh', ['-c', 'ulimit -c unlimited']).status !== 0) return context.skip('needs leave to raise the limit of core files');
  const plain: [string, ...string[]] = [process.execPath, '-e', crash];
  const [whole] = dump('ulimit -c unlimited', plain);
  expect(whole?.includes(marker)).toBe(true);
  expect(dump('ulimit -c unlimited', lockCommand(plain, ['/']))).toEqual([]);
  // As where cores are piped to a program, which ignores the limit.
  const [empty] = dump('ulimit -c unlimited; echo 0 >/proc/self/coredump_filter', plain);
  expect(empty?.length).toBeGreaterThan(0);
  expect(empty?.includes(marker)).toBe(false);
});
