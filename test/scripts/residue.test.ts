/** The search in the memory of another process, by copies that are counted by hand. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { countCopies } from '../../scripts/residue.ts';

const script = join(import.meta.dirname, '../../scripts/residue.ts');
let child: ChildProcess | undefined;
afterEach(() => child?.kill('SIGKILL'));

/** A process with one mebibyte and more full of the text, in one form, which it gets in bytes that are turned round so that nothing else looks like it. */
async function hold(text: string, form: 'latin1' | 'utf16le', count: number): Promise<number> {
  const turned = Buffer.from(Buffer.from(text, form).map((byte) => byte ^ 0xff)).toString('hex');
  const program = `
    const turned = Buffer.from('${turned}', 'hex');
    const kept = Buffer.alloc(${count} * 1000 + 64);
    for (let copy = 0; copy < ${count}; copy++) for (let at = 0; at < turned.length; at++) kept[copy * 1000 + 7 + at] = turned[at] ^ 0xff;
    console.log('held');
    setInterval(() => kept[0], 1000);`;
  child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child?.stdout?.once('data', resolve));
  return child.pid ?? 0;
}

test.for(['latin1', 'utf16le'] as const)(
  'every copy is counted once, also over the ends of what is read at a time: %s',
  { timeout: 60_000 },
  async (form, context) => {
    if (process.platform !== 'linux') return context.skip('the memory of another process is read from /proc');
    const text = randomBytes(12).toString('hex');
    const pid = await hold(text, form, 13_000);
    const [found] = countCopies([pid], [text, randomBytes(12).toString('hex')]);
    expect(found).toMatchObject({ pid, latin1: form === 'latin1' ? 13_000 : 0, utf16: form === 'latin1' ? 0 : 13_000, unreadSize: 0 });
    expect(found?.size).toBeGreaterThan(13_000_000);
    const none = spawnSync(process.execPath, [script, `${pid}`], { input: `${randomBytes(12).toString('hex')}\n`, encoding: 'utf8' });
    expect([none.status, JSON.parse(none.stdout)]).toMatchObject([0, [{ latin1: 0, utf16: 0 }]]);
    const some = spawnSync(process.execPath, [script, `${pid}`], { input: `${text}\n`, encoding: 'utf8' });
    expect([some.status, JSON.parse(some.stdout)]).toMatchObject([1, [{ pid }]]);
  },
);

test('not the own process, and not for nothing', () => {
  expect(() => countCopies([process.pid], ['marker'])).toThrow(/searched by itself/);
  expect(() => countCopies([1], [])).toThrow(/Expected texts/);
  expect(() => countCopies([1], [''])).toThrow(/Expected texts/);
});

test('a process that is not there is no process without copies', () => {
  expect(() => countCopies([2 ** 22 + 1], ['marker'])).toThrow(/process 4194305 cannot be read/);
});
