/** The pipe to a process of ours: order, size, ends, and that neither side keeps what went through it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { Link, linkedStdio } from '../../../runtime/link/link.ts';
import { countInMemory } from '../../../server/prove/memory.ts';
import type { Echoed } from './link-child.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const childProgram = fileURLToPath(new URL('./link-child.ts', import.meta.url));
const parentProgram = fileURLToPath(new URL('./link-parent.ts', import.meta.url));

function start(path = process.execPath): { readonly child: ChildProcess; readonly link: Link<Echoed, Echoed> } {
  const child = spawn(path, [childProgram], { stdio: linkedStdio });
  children.push(child);
  return { child, link: Link.toChild(child) };
}

test('messages come whole and in order, also those that were sent while a long one was on its way', async () => {
  const { link } = start();
  const long = 'é'.repeat(5_000_000);
  const sent: Echoed[] = Array.from({ length: 60 }, (_, i) =>
    i % 20 === 3 ? { text: long, ids: new Uint32Array(300_000).fill(i) } : { ids: Uint32Array.of(i) },
  );
  const got: Echoed[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  link.listen({ message: (message) => got.push(message) === sent.length && resolve() });
  for (const message of sent) link.send(message);
  await promise;
  expect(got).toEqual(sent);
});

test('the end of the child is told, and nothing is sent to it any more', async () => {
  const { child, link } = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  link.listen({ message: () => undefined, closed: resolve });
  const exit = once(child, 'exit');
  link.send({ order: 'exit' });
  expect((await exit)[0]).toBe(7);
  await promise;
  link.send({ text: 'late' });
});

test('a child hears that its parent is gone', async () => {
  const { child, link } = start();
  const { promise, resolve } = Promise.withResolvers<void>();
  link.listen({ message: () => resolve() });
  link.send({});
  await promise;
  const exit = once(child, 'exit');
  link.close();
  expect((await exit)[0]).toBe(5);
});

test('what is no message breaks the link: it is told once, and nothing behind it is read', async () => {
  const { link } = start();
  const told: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  link.listen({ message: () => told.push('message'), broken: () => told.push('broken'), closed: () => resolve() });
  link.send({ order: 'babble' });
  await promise;
  expect(told).toEqual(['broken']);
});

test('a program that is not there: the link is closed', async () => {
  const { child, link } = start('/nowhere/node');
  await once(child, 'error');
  link.send({ text: 'a' });
});

test('nothing of many messages is left in either process', async ({ skip }) => {
  skip(process.platform !== 'linux', 'the memory of another process is read from /proc');
  const ids = Uint32Array.from({ length: 8 }, () => randomInt(2 ** 20, 2 ** 31));
  const parent = spawn(process.execPath, [parentProgram, ...Array.from(ids, (id) => String(~id >>> 0))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(parent);
  const [pid] = await once(parent.stdout, 'data');
  const child = Number(String(pid));
  try {
    expect([parent.pid ?? 0, child].map((process) => countInMemory(process, [Buffer.from(ids.buffer)])?.total)).toEqual([0, 0]);
  } finally {
    process.kill(child, 'SIGKILL');
  }
});
