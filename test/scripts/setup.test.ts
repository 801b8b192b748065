import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { nodeMajor, packagedNode, root } from '../../scripts/node.mjs';
import { arePackagesCurrent, explainNpm, machineProblem } from '../../scripts/setup.mjs';

const folder = mkdtempSync(join(tmpdir(), 'inward-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the machine: Linux with glibc 2.34 or newer, else one sentence', () => {
  expect(machineProblem()).toBeUndefined();
  expect(machineProblem('linux', '2.34')).toBeUndefined();
  expect(machineProblem('linux', '3.0')).toBeUndefined();
  expect(machineProblem('linux', '2.31')).toBe('Inward needs glibc 2.34 or newer; this system has 2.31.');
  expect(machineProblem('linux', '')).toContain('musl');
  expect(machineProblem('darwin', '')).toBe('Inward runs on Linux; this is darwin.');
});

test('packages are current if node_modules holds what the lock names', () => {
  const clone = join(folder, 'clone');
  mkdirSync(join(clone, 'node_modules'), { recursive: true });
  const entry = { version: '1.0.0', integrity: 'sha512-a' };
  const lock = (file: string, packages: object): void => writeFileSync(join(clone, file), JSON.stringify({ packages }));
  const wanted = { '': {}, 'node_modules/a': entry, 'node_modules/b': { ...entry, optional: true }, 'node_modules/c': { ...entry, dev: true } };
  expect(arePackagesCurrent(clone)).toBe(false);
  lock('package-lock.json', wanted);
  expect(arePackagesCurrent(clone)).toBe(false);
  lock('node_modules/.package-lock.json', { 'node_modules/a': entry, 'node_modules/c': entry });
  expect(arePackagesCurrent(clone, { development: true })).toBe(true);
  lock('node_modules/.package-lock.json', { 'node_modules/a': entry });
  expect([arePackagesCurrent(clone), arePackagesCurrent(clone, { development: true })]).toEqual([true, false]);
  for (const other of [
    { ...entry, version: '1.0.1' },
    { ...entry, integrity: 'sha512-b' },
  ]) {
    lock('node_modules/.package-lock.json', { 'node_modules/a': other });
    expect(arePackagesCurrent(clone)).toBe(false);
  }
  writeFileSync(join(clone, 'node_modules/.package-lock.json'), '{');
  expect(arePackagesCurrent(clone)).toBe(false);
});

test('npm without a network: one sentence; anything else: what npm said', () => {
  expect(explainNpm('npm error code ENOTFOUND\nnpm error syscall getaddrinfo')).toMatch(/^The npm packages could not be fetched: .*cannot be reached\./);
  expect(explainNpm('npm error code EINTEGRITY\nnpm error sha512 differs\nnpm error A complete log of this run')).toBe(
    'npm could not install the packages:\nnpm error code EINTEGRITY\nnpm error sha512 differs',
  );
});

test('the Node that came with the packages: inside of a clone, beside an installed package, or nowhere', () => {
  const project = join(folder, 'project');
  const installed = join(project, 'node_modules', 'inward');
  mkdirSync(installed, { recursive: true });
  expect(packagedNode(installed)).toBeUndefined();
  const place = (top: string): string => {
    const path = join(top, 'node_modules', 'node', 'bin', 'node');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    return path;
  };
  const beside = place(project);
  expect([packagedNode(installed), packagedNode(project)]).toEqual([beside, beside]);
  const inside = place(installed);
  expect(packagedNode(installed)).toBe(inside);
});

/** A Node on PATH that is too old for TypeScript, as a newcomer's may be. */
function findOldNode(): string | undefined {
  const candidates = (process.env['PATH'] ?? '')
    .split(':')
    .filter((dir) => !dir.includes('node_modules'))
    .map((dir) => join(dir, 'node'));
  return candidates.find((path) => existsSync(path) && Number.parseInt(spawnSync(path, ['-p', 'process.versions.node']).stdout.toString(), 10) < nodeMajor);
}
const oldNode = findOldNode();
const noOldNode = `no Node older than ${nodeMajor} in PATH`;

// A child that says what it is, counts the signals it gets and ends with a code of its own.
const child = join(folder, 'child.mjs');
writeFileSync(
  child,
  `import { followParent } from ${JSON.stringify(join(root, 'scripts/node.mjs'))};
followParent();
let count = 0;
const timer = setInterval(() => {}, 1000);
for (const name of ['SIGINT', 'SIGTERM'])
  process.on(name, () => {
    if (++count === 1) setTimeout(() => { console.log(name + ' ' + count); clearInterval(timer); process.exit(7); }, 400);
  });
console.log(process.version.split('.')[0] + ' ' + process.argv.slice(2).join(' '));
if (process.argv[2] === 'end') process.exit(5);
if (process.argv[2] === 'die') process.kill(process.pid, 'SIGKILL');
`,
);
const parent = join(folder, 'parent.mjs');
writeFileSync(
  parent,
  `import { continueUnderNode } from ${JSON.stringify(join(root, 'scripts/node.mjs'))};
await continueUnderNode([${JSON.stringify(child)}, ...process.argv.slice(2)]);
console.log('never');
`,
);

function start(...args: string[]): { process: ChildProcess; read: () => string; ended: Promise<unknown[]> } {
  const started = spawn(oldNode ?? process.execPath, [parent, ...args], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  let output = '';
  started.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return { process: started, read: () => output, ended: once(started, 'close') };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 400; tries++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(condition()).toBe(true);
}

test('an old Node goes on under the packaged one, with arguments and exit code', async (context) => {
  if (!oldNode) return context.skip(noOldNode);
  const run = start('end', 'two words');
  expect((await run.ended)[0]).toBe(5);
  expect(run.read()).toBe(`v${nodeMajor} end two words\n`);
});

test('a child that a signal ended gives 128 + its number', async () => {
  expect((await start('die').ended)[0]).toBe(128 + 9);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} to the parent reaches the child once, and the parent ends with the child's code`, async () => {
    const run = start('wait');
    await until(() => run.read().includes('wait'));
    run.process.kill(signal);
    expect((await run.ended)[0]).toBe(7);
    expect(run.read()).toContain(`${signal} 1\n`);
  });

  test(`${signal} to the whole group, as a terminal and npm send it, reaches the child once`, async () => {
    const run = start('wait');
    await until(() => run.read().includes('wait'));
    process.kill(-(run.process.pid as number), signal);
    run.process.kill(signal);
    expect((await run.ended)[0]).toBe(7);
    expect(run.read()).toContain(`${signal} 1\n`);
  });
}

test('a child whose parent was killed ends as if it had been told to', async () => {
  const run = start('wait');
  await until(() => run.read().includes('wait'));
  run.process.kill('SIGKILL');
  await run.ended; // the pipe closes when the child is gone too
  expect(run.read()).toContain('SIGTERM 1\n');
});

test('the packaged Node is there and recent enough', () => {
  const node = packagedNode();
  expect(node).toBeDefined();
  expect(Number.parseInt(spawnSync(node as string, ['-p', 'process.versions.node']).stdout.toString(), 10)).toBeGreaterThanOrEqual(nodeMajor);
});

test('set-up with nothing to do, and the command with nothing to do, take less than a second', () => {
  const time = (args: string[]): number => {
    const started = performance.now();
    expect(spawnSync(oldNode ?? process.execPath, args, { cwd: root }).status).toBe(0);
    return performance.now() - started;
  };
  // The fastest of several: other work on the machine only ever adds to it.
  for (const args of [['scripts/setup.mjs'], ['bin/inward.mjs', '--help']]) {
    let fastest = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 10 && fastest >= 1000; turn++) fastest = Math.min(fastest, time(args));
    expect(fastest).toBeLessThan(1000);
  }
});
