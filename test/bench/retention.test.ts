/** What the bench of retention leaves out is still there to be left out, and its clock is the kernel's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withoutScrub, withoutZeroing } from '../../bench/retention/arms.ts';
import { readCpuSeconds } from '../../bench/retention/cpu.ts';
import { root } from '../../scripts/node.mjs';
import { createVariant } from '../../scripts/variant.ts';

test('copies of the program differ from it in the lines that are meant', () => {
  using variant = createVariant([...withoutZeroing, ...withoutScrub]);
  const files = [...withoutZeroing, ...withoutScrub].map(({ file }) => file);
  for (const file of new Set(files)) expect(readFileSync(join(variant.folder, file), 'utf8')).not.toBe(readFileSync(join(root, file), 'utf8'));
  expect(readFileSync(join(variant.folder, 'server/app.ts'), 'utf8')).toBe(readFileSync(join(root, 'server/app.ts'), 'utf8'));
  expect(() => createVariant([{ name: 'x', file: 'server/app.ts', find: 'a line that nobody wrote', replace: '' }])).toThrow('the place of "x"');
});

test('the time of the processors is what a process says of itself, and of its child that has ended', async (context) => {
  if (process.platform !== 'linux') return context.skip('read from /proc');
  const spin = 'const end = Date.now() + 400; while (Date.now() < end);';
  const program = `require('child_process').execFileSync(process.execPath, ['-e', "${spin}"]); ${spin}
    const { userCPUTime, systemCPUTime } = process.resourceUsage(); console.log((userCPUTime + systemCPUTime) / 1e6); setInterval(() => undefined, 1000)`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const own = Number(line.toString());
    const found = readCpuSeconds(child.pid ?? 0);
    // The child has worked too: at least as long as it would take alone on half a processor, and at most what it was there for.
    expect(found - own).toBeGreaterThan(0.02);
    expect(own).toBeGreaterThan(0);
    expect(found).toBeLessThan(own + 30);
  } finally {
    child.kill('SIGKILL');
  }
});
