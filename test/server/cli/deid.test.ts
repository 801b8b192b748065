/** `inward deid`: texts, lines, reports, and what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCommand } from '../../../server/cli/index.ts';
import { FakeWorld } from '../fake-world.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-deid-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const message = 'PID|1||77-1234^^^HOSP^MR||Smith^John||19340125|M|||5 Old Road^^Salem^MA^03601\r';

async function run(input: string | Buffer, ...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  const world = new FakeWorld();
  world.in.end(input);
  const code = await runCommand(['deid', '-', ...flags], world);
  return { code, out: world.printed, err: world.complained };
}

test('a text goes in, and comes out without its identifiers', async () => {
  const { code, out, err } = await run(message);
  expect([code, err]).toEqual([0, '']);
  expect(out).toBe('PID|1||[MRN-1]^^^HOSP^MR||[NAME-1]^[NAME-2]||[DATE-1]|M|||[GEO-1]^^[GEO-2]^MA^[GEO-3]\r');
});

test('an action for all, and one for a category whatever the order', async () => {
  const few = ['--action', 'geo=remove', '--action', 'NAME=keep', '--action', 'GEO=generalize'];
  // Of streets and towns there is no general form.
  expect((await run(message, '--action', 'remove', '--action', 'DATE=generalize', ...few)).out).toMatch(
    /^PID\|1\|\|\^\^\^HOSP\^MR\|\|Smith\^John\|\|\d{4} or earlier\|M\|\|\|\[GEO-1\]\^\^\[GEO-2\]\^MA\^000\r$/,
  );
  expect((await run(message, '--action', 'NAME=keep', '--action', 'remove')).out).toBe('PID|1||^^^HOSP^MR||Smith^John|||M|||^^^MA^\r');
});

test('a file is read as standard input is', async () => {
  writeFileSync(join(folder, 'message.hl7'), message);
  const world = new FakeWorld();
  world.folder = folder;
  expect(await runCommand(['deid', 'message.hl7'], world)).toBe(0);
  expect(world.printed).toBe((await run(message)).out);
});

test('lines of JSON: ids stay, offsets count UTF-16 units of the text that came, half of a pair stays half', async () => {
  const lines = [{ id: 'a', text: `😀\n${message}` }, { id: 7, text: 'nothing \ud800 here', other: 'is left out' }, { text: '' }].map((line) =>
    JSON.stringify(line),
  );
  const { code, out } = await run(`\ufeff${lines[0]}\r\n\n${lines[1]}\n${lines[2]}`, '--jsonl');
  expect(code).toBe(0);
  const [first, second, third, ...more] = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(more).toEqual([]);
  expect(first.id).toBe('a');
  const text = `😀\n${message}`;
  expect(first.spans.map(({ start, end, type }: { start: number; end: number; type: string }) => `${type} ${text.slice(start, end)}`)).toEqual([
    ...['MRN 77-1234', 'NAME Smith', 'NAME John', 'DATE 19340125', 'GEO 5 Old Road', 'GEO Salem', 'GEO 03601'],
  ]);
  expect(second).toEqual({ id: 7, spans: [], text: 'nothing \ud800 here' });
  expect(third).toEqual({ spans: [], text: '' });
});

test('a report shows each category with context, the version and the limits; its page has no tag of the text', async () => {
  const text = (await run(message, '--report')).out;
  for (const part of [
    '7 identifiers of 4 categories',
    'detector set ',
    '>>Smith<<',
    '[NAME-1]',
    'Safe Harbor',
    '45 CFR 164.514(b)(2)',
    'No detector of free text',
    '(A) NAME: names (2)',
    'Nothing was found of: (D) PHONE',
  ])
    expect(text).toContain(part);
  const left = (await run("line one\nDr. Okonkwo\nParkinson's disease, of Ohio, count 41250\n", '--report')).out;
  expect(left).toContain('line 2: ...line one >>Dr. Okonkwo<< Parkinson');
  expect(left).toMatch(/Left, to be looked at \(2\)\n.+\n {2}line 3: \.\.\..*>>Parkinson<<'s disease.*\n {2}line 3: .*>>41250<< /);
  const page = (await run('{"patient_name":"<script>x</script>"}', '--report', 'html')).out;
  expect(page).toContain('&#60;script&#62;');
  expect(page).not.toContain('<script');
  expect(page).toContain("default-src 'none'");
});

test.each([
  [Buffer.from('ab\xe9 secret', 'latin1'), [], 'Expected UTF-8; byte 2 is none'],
  [Buffer.from('{"text":"a"}\n{"text":"\xe9secret"}', 'latin1'), ['--jsonl'], 'Expected UTF-8; line 2, byte 9 is none'],
  ['{"text":"a"}\nsecret', ['--jsonl'], 'found something else in line 2: correct the line'],
  ['{"text":5,"secret":1}', ['--jsonl'], 'found something else in line 1'],
])('case %#: refused in a sentence that quotes nothing', async (input, flags, sentence) => {
  const { code, err } = await run(input, ...flags);
  expect(code).toBe(1);
  expect(err).toContain(sentence);
  expect(err).not.toContain('secret');
});

test('what cannot be used is told: a file that is not there, an action that is none, two forms at once', async () => {
  const world = new FakeWorld();
  expect(await runCommand(['deid', join(folder, 'none.txt')], world)).toBe(1);
  expect(world.complained).toContain('ENOENT');
  for (const flags of [
    ['--action', 'shred'],
    ['--action', 'WHAT=remove'],
    ['--lang', 'fr'],
    ['--jsonl', '--report'],
  ])
    expect((await run('', ...flags)).code).toBe(2);
});

test('long digits end in bounded time', async () => {
  const begin = performance.now();
  expect((await run('7'.repeat(1_000_000))).code).toBe(0);
  expect(performance.now() - begin).toBeLessThan(10_000);
});
