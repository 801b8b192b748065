import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readTreeMemory } from '../../bench/memory.ts';

/** A process that holds this many bytes and has said so. */
async function startHolder(bytes: number): Promise<ChildProcess> {
  const script = `globalThis.held = Buffer.alloc(${bytes}, 1); console.log('ready'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test('our own resident memory agrees with what Node says of itself', () => {
  const { resident, proportional, peak, processes } = readTreeMemory(process.pid);
  const expected = process.memoryUsage().rss;
  expect(processes).toBeGreaterThanOrEqual(1);
  // The kernel counts pages in batches, and other processes of a test run may hang below this one.
  expect(resident).toBeGreaterThan(0.9 * expected);
  expect(proportional).toBeLessThanOrEqual(resident);
  // The more processes share Node's own pages, the less of them is charged to this one; what is its own counts whole.
  const own = Number(/^Private_Dirty:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) * 1024;
  expect(proportional).toBeGreaterThan(Math.max(0.2 * expected, 0.9 * own));
  expect(peak).toBeGreaterThanOrEqual(resident);
});

test('a child process counts, and no longer when it has ended', async () => {
  const before = readTreeMemory(process.pid);
  const child = await startHolder(200e6);
  try {
    const during = readTreeMemory(process.pid);
    expect(during.processes).toBe(before.processes + 1);
    expect(during.resident - before.resident).toBeGreaterThan(190e6);
    const alone = readTreeMemory(child.pid ?? 0);
    expect(alone.processes).toBe(1);
    expect(alone.resident).toBeGreaterThan(200e6);
    expect(alone.resident).toBeLessThan(400e6);
  } finally {
    await end(child);
  }
  expect(readTreeMemory(process.pid).processes).toBe(before.processes);
  expect(readTreeMemory(child.pid ?? 0)).toEqual({ processes: 0, resident: 0, proportional: 0, peak: 0 });
});

test('descendants of descendants count, strangers do not, and names may look like fields', () => {
  const root = mkdtempSync(join(tmpdir(), 'inward-test-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const add = (pid: number, parent: number, name: string, residentKib: number, peakKib: number): void => {
    mkdirSync(join(root, String(pid)));
    writeFileSync(join(root, String(pid), 'stat'), `${pid} (${name}) S ${parent} 1 1 0 -1`);
    writeFileSync(join(root, String(pid), 'status'), `Name:\t${name}\nVmHWM:\t${peakKib} kB\nVmRSS:\t${residentKib} kB\nRssAnon:\t1 kB\n`);
  };
  add(1, 0, 'init', 999, 999);
  add(10, 1, 'parent', 100, 150);
  add(11, 10, 'odd) S 1 (name', 20, 30);
  add(12, 11, 'grandchild', 3, 5);
  add(13, 1, 'stranger', 5000, 5000);
  mkdirSync(join(root, 'self'));
  // Where the kernel says how much of the parent is shared, its part counts.
  writeFileSync(join(root, '10', 'smaps_rollup'), 'Rss:  100 kB\nPss:  60 kB\nPss_Dirty:  1 kB\n');
  expect(readTreeMemory(10, root)).toEqual({ processes: 3, resident: 123 * 1024, proportional: 83 * 1024, peak: 185 * 1024 });
});
