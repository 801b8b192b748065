/** Questions on a terminal; the typing is a stream, the line editor the real one. */
import { expect, test } from 'vitest';
import { type Asker, canAsk, Interrupted, openAsker } from '../../server/cli/ask.ts';
import { FakeWorld } from './fake-world.ts';
import { until } from './help.ts';

function openTerminal(): { world: FakeWorld; asker: Asker } {
  const world = new FakeWorld();
  world.becomeTerminal();
  return { world, asker: openAsker(world) };
}

/** Types when a text is there. */
async function type(world: FakeWorld, prompt: string, keys: string): Promise<void> {
  await until(() => world.printed.includes(prompt));
  world.in.write(keys);
}

const number = { label: 'Hours', expected: 'a whole number', read: (text: string) => (/^\d+$/.test(text) ? Number(text) : undefined) };

test('asks only where both ends are a terminal', () => {
  const world = new FakeWorld();
  expect(canAsk(world)).toBe(false);
  world.in.isTTY = true;
  expect(canAsk(world)).toBe(false);
  world.becomeTerminal();
  expect(canAsk(world)).toBe(true);
});

test('a wrong answer is told and asked for again', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const answer = asker.text(number);
  await type(world, 'Hours: ', 'many\r');
  await type(world, 'Expected a whole number.\n', '\r');
  await until(() => world.printed.split('Expected a whole number.').length === 3);
  world.in.write('  24 \r');
  expect(await answer).toBe(24);
});

test('an empty answer is the default, which is shown', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const answer = asker.text({ ...number, standard: '48' });
  await type(world, 'Hours [48]: ', '\r');
  expect(await answer).toBe(48);
});

test('one of a list', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const answer = asker.choice({ label: 'Kind', choices: ['baa', 'synthetic'] });
  await type(world, 'Kind (baa, synthetic): ', 'other\r');
  await type(world, 'Expected one of baa, synthetic.', 'BAA\r');
  expect(await answer).toBe('baa');
  const empty = asker.choice({ label: 'Role', choices: ['host', 'operator'], standard: 'operator' });
  await type(world, 'Role (host, operator) [operator]: ', '\r');
  expect(await empty).toBe('operator');
});

test('several of a list, in its order', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const choices = ['one', 'two', 'three'] as const;
  const some = asker.list({ label: 'Some', choices });
  await type(world, 'Some (one, two, three): ', '\r');
  await type(world, 'Expected', 'three, four\r');
  await until(() => world.printed.split('Expected').length === 3);
  world.in.write('three,one three\r');
  expect(await some).toEqual(['one', 'three']);
  const all = asker.list({ label: 'All', choices });
  await type(world, 'All (', 'all\r');
  expect(await all).toEqual(choices);
  const standard = asker.list({ label: 'Usual', choices, standard: ['two'] });
  await type(world, 'Usual (one, two, three) [two]: ', '\r');
  expect(await standard).toEqual(['two']);
});

test('yes or no; no is what silence means', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const said: boolean[] = [];
  for (const [label, keys, standard] of [
    ['First', 'y\r', false],
    ['Second', 'NO\r', true],
    ['Third', '\r', false],
    ['Fourth', '\r', true],
  ] as const) {
    const answer = asker.confirm(label, standard);
    await type(world, `${label} (yes, no) [${standard ? 'yes' : 'no'}]: `, keys);
    said.push(await answer);
  }
  expect(said).toEqual([true, false, false, true]);
});

test('a passphrase is never shown, whenever it is typed, and keeps its blanks', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const name = asker.text({ label: 'Name', expected: 'a name', read: (text) => text });
  // The passphrase comes with the name, before it is asked for.
  await type(world, 'Name: ', 'ward\r hunter2\r');
  expect(await name).toBe('ward');
  expect(await asker.passphrase('Passphrase')).toBe(' hunter2');
  const second = asker.passphrase('Again');
  await type(world, 'Again: ', 'hunt');
  world.in.write('er3\r');
  expect(await second).toBe('hunter3');
  // Nor does the arrow key bring it back.
  const after = asker.text({ label: 'Last', expected: 'anything', read: (text) => text });
  await type(world, 'Last: ', '\x1b[A\x1b[Aend\r');
  expect(await after).toBe('end');
  expect(world.printed).not.toMatch(/hunt|er2|er3/);
});

test('what was typed ahead of a wrong answer is dropped, never shown as the next answer', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const sign = asker.confirm('Sign it?');
  await type(world, 'Sign it? (yes, no) [no]: ', 'ok\rhunter2\r');
  await type(world, 'Expected yes or no.\n', 'yes\r');
  expect(await sign).toBe(true);
  const passphrase = asker.passphrase('Passphrase');
  await type(world, 'Passphrase: ', 'hunter3\r');
  expect(await passphrase).toBe('hunter3');
  expect(world.printed).not.toContain('hunter');
});

test('the end of the input ends the question with a sentence', async () => {
  const { world, asker } = openTerminal();
  using _ = asker;
  const answer = asker.text(number);
  const caught = answer.catch((error: unknown) => error);
  await type(world, 'Hours: ', '\x04');
  expect(await caught).toMatchObject({ name: 'SiteError', message: expect.stringContaining('The input ended') });
  await expect(asker.passphrase('Passphrase')).rejects.toMatchObject({ name: 'SiteError' });
});

test('an input that is at its end already', async () => {
  const world = new FakeWorld();
  world.becomeTerminal();
  world.in.end();
  using asker = openAsker(world);
  await expect(asker.confirm('Sign it?')).rejects.toMatchObject({ name: 'SiteError' });
});

test.each(['open', 'passphrase', 'between'] as const)('Ctrl-C interrupts (%s)', async (when) => {
  const { world, asker } = openTerminal();
  using _ = asker;
  if (when === 'between') {
    const first = asker.text(number);
    await type(world, 'Hours: ', '1\r');
    expect(await first).toBe(1);
    world.in.write('\x03');
    await expect(asker.confirm('Sign it?', true)).rejects.toThrow(Interrupted);
    return;
  }
  const caught = (when === 'open' ? asker.text(number) : asker.passphrase('Hours')).catch((error: unknown) => error);
  await type(world, 'Hours: ', '12\x03');
  expect(await caught).toBeInstanceOf(Interrupted);
});
