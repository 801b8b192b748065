/** The text process is replaced after so many requests and when idle: no answer is lost, wrong or kept waiting, and limits hold for the next one. */
import { renameSync } from 'node:fs';
import { afterAll, afterEach, expect, test } from 'vitest';
import type { InwardError } from '../../../runtime/errors.ts';
import { openText } from '../../../runtime/text/index.ts';
import type { TextModel, TextOptions } from '../../../runtime/text/types.ts';
import { createFolder, ggufBytes, tokenizerPairs } from '../../gguf-file.ts';
import { textProcesses, until } from './processes.ts';

const folder = createFolder();
afterAll(folder.remove);
afterEach(() => expect(textProcesses()).toEqual([]));

const template = `{% if messages[0].content == 'time' %}{% for i in range(10000) %}{% for j in range(10000) %}{% set k = i + j %}{% endfor %}{% endfor %}{% endif %}{% if messages[0].content == 'memory' %}{% set x = [0] * 100000000 %}{% endif %}<|user|>{{ messages[0].content }}`;
const bytes = (control: string) => ggufBytes(tokenizerPairs({ control: [control], template }));
const write = () => folder.write(bytes('<|user|>'));
const open = (options: Partial<TextOptions> = {}): Promise<TextModel> => openText({ modelPath: write(), renewIdleMs: 3_600_000, ...options });

const ask = (text: TextModel, content: string) => text.encodeChat([{ role: 'user', content }]);
const right = (content: string) => Uint32Array.of(256, ...Buffer.from(content));
const codeOf = (work: Promise<unknown>) => work.then(() => 'answered').catch((error: InwardError) => error.code);
const other = (pids: readonly number[]) => textProcesses().find((pid) => !pids.includes(pid));
/** Waits for a second process and holds it still, so that it is starting for as long as the test wants. */
const holdNext = async (pids: readonly number[]): Promise<number> => {
  const next = await until(() => other(pids));
  process.kill(next, 'SIGSTOP');
  return next;
};

test('under load one process follows the other, and every answer is right', async () => {
  await using text = await open({ renewAfterRequests: 20 });
  const seen = new Set<number>();
  let most = 0;
  let isOver = false;
  const stream = async (name: string): Promise<number> => {
    let count = 0;
    for (; !isOver; count++) expect(await ask(text, `${name}${count}`)).toEqual(right(`${name}${count}`));
    return count;
  };
  const streams = ['a', 'b', 'c'].map(stream);
  await until(() => {
    const pids = textProcesses();
    for (const pid of pids) seen.add(pid);
    most = Math.max(most, pids.length);
    return seen.size >= 4;
  }).finally(() => {
    isOver = true;
  });
  const counts = await Promise.all(streams);
  expect(counts.every((count) => count > 10)).toBe(true);
  // A third one may still be on its way out.
  expect(most).toBeLessThanOrEqual(3);
});

test('while the next process starts the old one answers; then the next one does', async () => {
  await using text = await open({ renewAfterRequests: 2 });
  const [first = 0] = textProcesses();
  await ask(text, 'a');
  await ask(text, 'b');
  const next = await holdNext([first]);
  for (const content of ['c', 'd', 'e', 'f']) expect(await ask(text, content)).toEqual(right(content));
  expect(textProcesses().sort()).toEqual([first, next].sort());
  process.kill(next, 'SIGCONT');
  await until(() => !textProcesses().includes(first));
  expect(await ask(text, 'g')).toEqual(right('g'));
  expect(textProcesses()).toContain(next);
});

test('an idle process is replaced once, one without a request not at all', async () => {
  await using text = await open({ renewIdleMs: 150 });
  const [first = 0] = textProcesses();
  const pause = () => new Promise((resolve) => setTimeout(resolve, 800));
  await pause();
  expect(textProcesses()).toEqual([first]);
  expect(await ask(text, 'a')).toEqual(right('a'));
  await until(() => !textProcesses().includes(first));
  const [second = 0] = textProcesses();
  await pause();
  expect(textProcesses()).toEqual([second]);
  expect(await ask(text, 'b')).toEqual(right('b'));
});

test('deadline and memory limit hold for the next process, and what comes after is answered', async () => {
  await using text = await open({ renewAfterRequests: 1, deadlineMs: 5000, memoryMiB: 64 });
  const [first = 0] = textProcesses();
  await ask(text, 'a');
  await until(() => !textProcesses().includes(first));
  const results = await Promise.all(['time', 'b', 'memory', 'c'].map((content) => codeOf(ask(text, content))));
  expect(results).toEqual(['text_deadline', 'answered', 'text_memory', 'answered']);
  expect(await ask(text, 'd')).toEqual(right('d'));
});

test('a process that broke a limit is replaced before anybody asks', async () => {
  await using text = await open({ deadlineMs: 500 });
  const [first = 0] = textProcesses();
  expect(await codeOf(ask(text, 'time'))).toBe('text_deadline');
  await until(() => other([first]));
  expect(await ask(text, 'a')).toEqual(right('a'));
});

test('closing during a renewal, and while a request waits for a start', async () => {
  const text = await open({ renewAfterRequests: 1 });
  const [first = 0] = textProcesses();
  await ask(text, 'a');
  const next = await holdNext([first]);
  process.kill(first, 'SIGKILL');
  await until(() => !textProcesses().includes(first));
  const waiting = codeOf(ask(text, 'b'));
  await text[Symbol.asyncDispose]();
  expect(await waiting).toBe('shutting_down');
  expect(textProcesses()).not.toContain(next);
  expect(await codeOf(ask(text, 'c'))).toBe('shutting_down');
});

test('a model file that is gone: the old process answers for as many requests again, then the error is clear; the file back, all is well', async () => {
  const modelPath = write();
  await using text = await open({ modelPath, renewAfterRequests: 4 });
  renameSync(modelPath, `${modelPath}.away`);
  const codes: string[] = [];
  for (let i = 0; i < 400 && codes.at(-1) !== 'file_missing'; i++) {
    codes.push(await codeOf(ask(text, 'a')));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(codes.at(-1)).toBe('file_missing');
  const answered = codes.filter((code) => code === 'answered').length;
  expect(answered).toBe(codes.length - 1);
  expect(answered).toBeGreaterThanOrEqual(8);
  renameSync(`${modelPath}.away`, modelPath);
  expect(await ask(text, 'b')).toEqual(right('b'));
});

test('a model file that became another one is not read on', async () => {
  const modelPath = write();
  await using text = await open({ modelPath, renewAfterRequests: 1 });
  renameSync(folder.write(bytes('<|other|>')), modelPath);
  const codes: string[] = [];
  for (let i = 0; i < 400 && codes.at(-1) !== 'model_changed'; i++) {
    codes.push(await codeOf(ask(text, 'a').then((ids) => expect(ids).toEqual(right('a')))));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(new Set(codes)).toEqual(new Set(['answered', 'model_changed']));
});
