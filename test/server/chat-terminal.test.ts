/** `inward chat` in a real pseudo terminal (util-linux's `script`), in a process of its own, over fakes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { until } from './help.ts';

const hasScript = spawnSync('script', ['--version']).stdout?.toString().includes('util-linux') ?? false;
const command = fileURLToPath(new URL('./serve-fake.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inward-chat-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const opened: ChildProcess[] = [];
afterEach(() => {
  for (const child of opened.splice(0)) child.kill('SIGKILL');
});

beforeEach((context) => {
  if (!hasScript) context.skip('there is no `script` of util-linux on this machine to make a pseudo terminal');
});

interface Terminal {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  shown(): string;
}

function open(environment: Record<string, string> = {}): Terminal {
  const child = spawn('script', ['-qec', `'${process.execPath}' '${command}' chat`, '/dev/null'], {
    cwd: folder,
    env: { ...process.env, HOME: folder, TMPDIR: folder, TERM: 'xterm-256color', NODE_COMPILE_CACHE: '', NO_COLOR: '', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  opened.push(child);
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  return { process: child, ended: once(child, 'exit').then(([code]) => code), shown: () => shown };
}

/** Types when the prompt is there. */
async function type(terminal: Terminal, text: string): Promise<void> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the prompt may be followed by cursor movements
  await until(() => /> (\x1b\[[\d;]*[A-Za-z])*$/.test(terminal.shown()), 30_000);
  terminal.process.stdin?.write(text);
}

test('a question, Ctrl-C stops its answer, Ctrl-D leaves; the terminal is given back and nothing is written to a disk', async () => {
  const terminal = open();
  await type(terminal, 'How do you do?\r');
  await until(() => terminal.shown().includes('xxxxx'));
  terminal.process.stdin?.write('\x03');
  await until(() => terminal.shown().includes('Stopped; what was written so far is kept.'));
  await type(terminal, '\x04');
  expect(await terminal.ended).toBe(0);
  // Typed once, shown once: the terminal's own echo was off while the line editor had it.
  expect(terminal.shown().split('How do you do?')).toHaveLength(2);
  expect(terminal.shown()).toContain('\x1b[1m> \x1b[22m');
  expect(terminal.shown().trimEnd().endsWith('\x1b[?2004l')).toBe(true);
  expect(readdirSync(folder)).toEqual([]);
});

test('Ctrl-C on the empty line leaves with 130', async () => {
  const terminal = open();
  await type(terminal, '\x03');
  expect(await terminal.ended).toBe(130);
});

test('NO_COLOR takes the colour, not the chat', async () => {
  const terminal = open({ NO_COLOR: '1' });
  await type(terminal, '/exit\r');
  expect(await terminal.ended).toBe(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour and bold end in m, what moves the cursor does not
  expect(terminal.shown()).not.toMatch(/\x1b\[[\d;]*m/);
});
