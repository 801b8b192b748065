/** `inward chat` over fakes: through a pipe, and on a terminal that is a stream with the flags of one. */
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { InwardError } from '../../runtime/errors.ts';
import { runCommand } from '../../server/cli/index.ts';
import type { FakeEngineOptions } from '../fake-engine.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';
import { until } from './help.ts';

/** Everything of one chat through a pipe. */
async function pipe(input: string, options: Partial<FakeEngineOptions> = {}, args: readonly string[] = []): Promise<{ world: FakeWorld; code: number }> {
  const world = new FakeWorld(options);
  world.in.end(input);
  return { world, code: await runCommand(['chat', ...args], world) };
}

const user = (content: string): object => ({ role: 'user', content });
const assistant = (content: string): object => ({ role: 'assistant', content });
const system = (content: string): object => ({ role: 'system', content });

test('through a pipe each line is a turn; only answers are printed, without prompts, colour or a terminal mode', async () => {
  const { world, code } = await pipe('One?\n\n  \nTwo?');
  expect([code, world.printed, world.complained]).toEqual([0, 'Hello, world.\nHello, world.\n', '']);
  expect(world.text.chats).toEqual([[user('One?')], [user('One?'), assistant('Hello, world.'), user('Two?')]]);
  expect(world.opened[0]).toMatchObject({ modelPath: '/models/default.gguf', maxSequences: 1 });
  expect(world.engine.isDisposed).toBe(true);
});

test('an emoji, and CR LF', async () => {
  const { world, code } = await pipe('a\r\n\u{1f642}\r\n');
  expect(code).toBe(0);
  expect(world.text.chats.map((messages) => messages.at(-1)?.content)).toEqual(['a', '\u{1f642}']);
});

test('an empty pipe is no error', async () => {
  expect((await pipe('')).code).toBe(0);
});

test('flags and /set reach the engine; a value that cannot be does not', async () => {
  const lines = ['a', '/set temperature 0.25', '/set top-p=0.5', '/set seed 7', '/set max-tokens 5', 'b', '/set seed', '/set temperature', '/SET', 'c'];
  const { world, code } = await pipe(lines.join('\n'), {}, ['--top-k', '3', '--temperature', '0.75']);
  expect(code).toBe(0);
  const [first, second, third] = world.engine.requests;
  expect(first?.sampling).toMatchObject({ temperature: 0.75, topP: 1, topK: 3, minP: 0 });
  expect(first?.sampling).not.toHaveProperty('seed');
  expect([second?.sampling, second?.maxTokens]).toEqual([expect.objectContaining({ temperature: 0.25, topP: 0.5, seed: 7 }), 5]);
  expect(third?.sampling).toMatchObject({ temperature: 1, topP: 0.5 });
  expect(third?.sampling).not.toHaveProperty('seed');
  expect(world.complained).toContain('seed random');
  for (const line of ['/set temperature 9', '/set temperature hot', '/set top-k 1.5', '/set seed -1', '/set sed 1', '/set temperature 0.1 0.2']) {
    const refused = await pipe(`${line}\na`);
    expect([line, refused.code]).toEqual([line, 1]);
    expect(refused.world.engine.requests[0]?.sampling).toMatchObject({ temperature: 1 });
    expect(refused.world.complained).toMatch(/^(\S+ must be |Did you mean |There is no such setting).*\n$/);
  }
  expect((await pipe('/set sed 1')).world.complained).toMatch(/^Did you mean seed\?/);
});

test('/system, --system and /clear', async () => {
  const { world } = await pipe('a\n/system  Be brief. \nb\n/clear\nc\n/system\nd', {}, ['--system', 'Be kind.']);
  expect(world.text.chats).toEqual([
    [system('Be kind.'), user('a')],
    [system('Be brief.'), user('a'), assistant('Hello, world.'), user('b')],
    [system('Be brief.'), user('c')],
    [user('c'), assistant('Hello, world.'), user('d')],
  ]);
});

test('/retry answers the last question anew, and its old answer is gone', async () => {
  let count = 0;
  const { world, code } = await pipe('a\nb\n/retry\n/regenerate\nc', { script: () => say(`answer ${++count}`)() });
  expect(code).toBe(0);
  const before = [user('a'), assistant('answer 1'), user('b')];
  expect(world.text.chats.slice(1)).toEqual([before, before, before, [...before, assistant('answer 4'), user('c')]]);
  expect(world.printed).toBe('answer 1\nanswer 2\nanswer 3\nanswer 4\nanswer 5\n');
  const none = await pipe('/retry');
  expect([none.code, none.world.complained]).toEqual([1, 'There is no question to answer again.\n']);
});

test('/multi sends several lines as one message; /exit leaves the rest unread', async () => {
  const { world, code } = await pipe('/multi\none\n/help\n\nthree\n/end\n/exit\nnever');
  expect([code, world.text.chats]).toEqual([0, [[user('one\n/help\n\nthree')]]]);
  const cut = await pipe('/multi\none');
  expect([cut.code, cut.world.text.chats]).toEqual([1, []]);
});

test('/help, /stats', async () => {
  const { world } = await pipe('/help\na\n/stats');
  for (const name of ['/help', '/clear', '/system', '/retry', '/set', '/multi', '/stats', '/exit']) expect(world.complained).toContain(`\n${name}`.trim());
  expect(world.complained).toContain('turns kept: 1, answers given: 1');
  // user:a\n and the start token; 13 letters and the end token
  expect(world.complained).toContain(`context: ${8 + 14} of 4096 tokens`);
  expect(world.complained).toMatch(/last answer: 8 prompt tokens, first token after \d+\.\d\d s, 14 tokens/);
});

test('what is no command is not repeated, and a message may start with a slash', async () => {
  const { world, code } = await pipe('/sett Jane Doe\n//etc/passwd is a file');
  expect(code).toBe(1);
  expect(world.complained).toMatch(/^There is no such command; did you mean \/set\? .*\n$/);
  expect(world.complained).not.toContain('Jane');
  expect(world.text.chats).toEqual([[user('/etc/passwd is a file')]]);
});

test('when the context is full the oldest turns go, with a notice each time, and the system message stays', async () => {
  // A turn is `user:Qn\n` and `assistant:12345678\n`, 8 and 19 bytes; the system message 11; the start token 1. A fourth of 80 is kept for the answer.
  const { world, code } = await pipe('Q1\nQ2\nQ3\nQ4', { script: say('12345678'), info: { contextLength: 80 } }, ['--system', 'sys']);
  expect(code).toBe(0);
  const turn = (n: number): object[] => [user(`Q${n}`), assistant('12345678')];
  // 1 + 11 + 27 + 8 = 47 leaves 20; 1 + 11 + 54 + 8 = 74 does not.
  expect(world.text.chats.at(-1)).toEqual([system('sys'), ...turn(3), user('Q4')]);
  expect(world.engine.requests).toHaveLength(4);
  expect(world.complained).toBe('The context of 80 tokens is full: the oldest turn was dropped.\n'.repeat(2));
});

test('a question that does not fit alone: a sentence, nothing dropped, and the chat goes on', async () => {
  const { world, code } = await pipe(`Q1\n${'x'.repeat(100)}\nQ2`, { script: say('12345678'), info: { contextLength: 80 } });
  expect(code).toBe(1);
  expect(world.complained).toBe('The prompt has 107 tokens and the context holds 80. Shorten the prompt, or start the server with a larger --context.\n');
  expect(world.text.chats.at(-1)).toEqual([user('Q1'), assistant('12345678'), user('Q2')]);
});

test('an answer that the context cuts is told; one that --max-tokens cuts is not', async () => {
  const { world } = await pipe('Q1', { script: say('x'.repeat(100)), info: { contextLength: 40 } });
  expect(world.printed).toBe(`${'x'.repeat(40 - 9)}\n`);
  expect(world.complained).toMatch(/^The answer was cut: the context is full\./);
  const short = await pipe('Q1', { script: say('x'.repeat(100)) }, ['--max-tokens', '4']);
  expect([short.world.printed, short.world.complained]).toEqual(['xxxx\n', '']);
});

test('a failure of one request does not end the chat; a dead engine does', async () => {
  const busy = await pipe('a\nb', { failAt: { index: 2, error: new InwardError('deadline_exceeded', { limit: 5 }) } });
  expect([busy.code, busy.world.printed, busy.world.engine.requests.length]).toEqual([1, 'He\nHe\n', 2]);
  const dead = await pipe('a\nb', { failAt: { index: 2, error: new InwardError('device_lost', { reason: 'destroyed' }) } });
  expect([dead.code, dead.world.engine.requests.length]).toEqual([1, 1]);
  expect(dead.world.complained).toMatch(/^The device was lost \(destroyed\)\. .*\n$/);
  const foreign = await pipe('Jane Doe', { failAt: { index: 0, error: new Error('Jane Doe') } });
  expect(foreign.code).toBe(1);
  expect(foreign.world.complained).not.toContain('Jane');
});

test('an engine that dies while nobody asks ends the chat', async () => {
  const world = new FakeWorld();
  const code = runCommand(['chat'], world);
  await until(() => world.opened.length > 0);
  world.engine.die(new InwardError('device_lost', { reason: 'destroyed' }));
  expect(await code).toBe(1);
  expect(world.complained).toContain('The device was lost');
});

test('a model without a chat template is refused', async () => {
  const world = new FakeWorld();
  Object.assign(world.text.info, { hasChatTemplate: false });
  expect(await runCommand(['chat'], world)).toBe(1);
  expect(world.complained).toMatch(/^The loaded model carries no chat template\./);
});

test('a signal ends a chat through a pipe, and the answer with it', async () => {
  const world = new FakeWorld({ script: say('x'.repeat(3000)), stepMs: 2 });
  const code = runCommand(['chat'], world);
  world.in.write('a\nb\n');
  await until(() => world.printed.length > 3);
  world.send('SIGINT');
  expect(await code).toBe(130);
  expect(world.engine.requests).toHaveLength(1);
  expect(world.printed).toMatch(/^x+\n$/);
  expect(world.signals.listenerCount('SIGINT')).toBe(0);
});

/** A chat on a terminal. */
function startTerminal(options: Partial<FakeEngineOptions> = {}): {
  world: FakeWorld;
  code: Promise<number>;
  type: (text: string, until?: string | RegExp) => Promise<void>;
} {
  const world = new FakeWorld(options);
  world.becomeTerminal();
  const code = runCommand(['chat'], world);
  const type = async (text: string, awaited: string | RegExp = '> '): Promise<void> => {
    await until(() => seen(world).endsWith('> '));
    const before = world.printed.length;
    world.in.write(text);
    await until(() => stripVTControlCharacters(world.printed.slice(before)).search(awaited) >= 0);
  };
  return { world, code, type };
}
const seen = (world: FakeWorld): string => stripVTControlCharacters(world.printed);
const key = { enter: '\r', interrupt: '\x03', end: '\x04', up: '\x1b[A' } as const;

test('on a terminal: who answers, a prompt, an answer, Ctrl-D', async () => {
  const { world, code, type } = startTerminal();
  await type(`Hi${key.enter}`, 'Hello, world.');
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.end);
  expect(await code).toBe(0);
  expect(seen(world)).toContain('fake-model on swiftshader (chosen by the test), 4096 tokens of context. Evaluation mode: not for PHI.');
  expect(seen(world)).toMatch(/> Hi\r\nHello, world\.\n> \n$/);
  // Bracketed paste is left as it was found.
  expect(world.printed.indexOf('\x1b[?2004h')).toBeGreaterThanOrEqual(0);
  expect(world.printed.endsWith('\x1b[?2004l')).toBe(true);
});

test('Ctrl-C stops the answer and keeps what was written; a second one, on the empty line, leaves', async () => {
  const { world, code, type } = startTerminal({ script: say('y'.repeat(3000)), stepMs: 2 });
  await type(`a${key.enter}`, 'yyy');
  world.in.write(key.interrupt);
  await until(() => seen(world).endsWith('> '));
  expect(seen(world)).toMatch(/y\nStopped; what was written so far is kept\.\n> $/);
  await type(`b${key.enter}`, 'yyy');
  expect(world.text.chats[1]).toEqual([user('a'), { role: 'assistant', content: expect.stringMatching(/^y{3,2000}$/) }, user('b')]);
  world.in.write(key.interrupt);
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.interrupt);
  expect(await code).toBe(130);
  expect(world.engine.running).toBe(0);
});

test('two Ctrl-C while an answer is written leave at once', async () => {
  const { world, code, type } = startTerminal({ script: say('y'.repeat(3000)), stepMs: 5 });
  await type(`a${key.enter}`, 'yyy');
  world.in.write(key.interrupt + key.interrupt);
  expect(await code).toBe(130);
});

test('Ctrl-C takes back what is being typed', async () => {
  const { world, code, type } = startTerminal();
  await type('half a question', 'half a question');
  world.in.write(`${key.interrupt}whole${key.enter}`);
  await until(() => world.text.chats.length > 0);
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.end);
  expect(await code).toBe(0);
  expect(world.text.chats).toEqual([[user('whole')]]);
});

test('pasted lines are one message', async () => {
  const { world, code, type } = startTerminal();
  await type('\x1b[200~one\rtwo\r\rthree\x1b[201~', 'three');
  expect(world.text.chats).toEqual([]);
  world.in.write(` and four${key.enter}`);
  await until(() => world.text.chats.length > 0);
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.end);
  expect(await code).toBe(0);
  expect(world.text.chats).toEqual([[user('one\ntwo\n\nthree and four')]]);
});

test('what is typed during an answer does not disturb it, and is the next message', async () => {
  const { world, code, type } = startTerminal({ script: say('z'.repeat(100)), stepMs: 2 });
  await type(`first${key.enter}`, 'zzz');
  world.in.write(`second${key.enter}half`);
  await until(() => world.text.chats.length === 2);
  await until(() => seen(world).endsWith('> half'));
  world.in.write(` done${key.enter}`);
  await until(() => world.text.chats.length === 3);
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.end);
  expect(await code).toBe(0);
  expect(world.text.chats.map((messages) => messages.at(-1)?.content)).toEqual(['first', 'second', 'half done']);
  expect(seen(world)).toContain(`\n${'z'.repeat(100)}\n> second\n${'z'.repeat(100)}\n> half`);
});

test('the model cannot send control characters to the terminal', async () => {
  const { world, code, type } = startTerminal({ script: say('a\x1b]0;title\x07b\u009b31mc\nd') });
  await type(`Hi${key.enter}`, 'd\n');
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.end);
  expect(await code).toBe(0);
  expect(world.printed).toContain('a\ufffd]0;title\ufffdb\ufffd31mc\nd\n');
});

test('the arrow brings typed lines back, until /clear', async () => {
  const { world, code, type } = startTerminal();
  await type(`remember${key.enter}`, 'Hello');
  await type(`${key.up}${key.enter}`, 'Hello');
  expect(world.text.chats.map((messages) => messages.at(-1)?.content)).toEqual(['remember', 'remember']);
  await type(`/clear${key.enter}`, 'forgotten');
  await type(`${key.up}${key.up}x${key.enter}`, 'Hello');
  expect(world.text.chats.at(-1)).toEqual([user('x')]);
  await until(() => seen(world).endsWith('> '));
  world.in.write(key.end);
  expect(await code).toBe(0);
});

test('SIGTERM leaves', async () => {
  const { world, code } = startTerminal();
  await until(() => seen(world).endsWith('> '));
  world.send('SIGTERM');
  expect(await code).toBe(130);
});
