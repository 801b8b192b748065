/** What is read of a real process: flags before its program, variables, and none of their values. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { readFacts } from '../../../server/prove/processes.ts';

const flags = ['--no-warnings', '--report-on-fatalerror', '--max-old-space-size=100', '--import=data:text/javascript,1', '--allow-addons'];

test('flags and variables that must not be there, by their names', async (context) => {
  if (process.platform !== 'linux') return context.skip('read from /proc');
  // A program of this name, with arguments that look like flags of Node.
  const idle = ['-e', 'setInterval(() => undefined, 1000); console.log(1)', '--', '--log', '--inspect'];
  const environment = { NODE_OPTIONS: '--trace-warnings --no-deprecation', NODE_DEBUG: 'marker', NODE_ENV: 'production', PATH: '/bin' };
  const child = spawn(process.execPath, [...flags, ...idle], { env: environment, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(child.stdout, 'data');
    const [facts] = readFacts([{ pid: child.pid ?? 0, kind: 'text' }]);
    expect(facts?.leaks).toEqual(['--report-on-fatalerror', '--import', '-e', '--trace-warnings', 'variable NODE_DEBUG']);
    expect(JSON.stringify(facts)).not.toContain('marker');
    expect(facts?.swap).toMatchObject({ name: 'swap' });
  } finally {
    child.kill('SIGKILL');
  }
});
