/**
 * Owns what the server tests share: an app over fakes, with its log and its raw socket client.
 */
import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../server/app.ts';
import { parseSettings, type SettingsInput } from '../../server/config.ts';
import { createLife, type Life } from '../../server/life.ts';
import { createLog } from '../../server/log.ts';
import type { Grant } from '../../server/privacy/gate.ts';
import { FakeEngine, type FakeEngineOptions } from '../fake-engine.ts';
import { FakeText, say } from '../fake-text.ts';
import { openTo } from './doorkeeper.ts';

export interface Bench extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly engine: FakeEngine;
  readonly text: FakeText;
  readonly life: Life;
  readonly lines: string[];
  readonly port: number;
  readonly url: string;
}

/** An app that listens on a free port. */
export async function listen(engineOptions: Partial<FakeEngineOptions> = {}, settings: SettingsInput = {}, grant: Partial<Grant> = {}): Promise<Bench> {
  const engine = new FakeEngine({ script: say('Hello, world.'), ...engineOptions });
  const text = new FakeText();
  const life = createLife();
  const lines: string[] = [];
  const app = buildApp({ ...openTo({ engine, text }, grant), life, settings: parseSettings(settings), log: createLog((line) => lines.push(line), 'json') });
  const url = await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => '' });
  return { app, engine, text, life, lines, url, port: Number(new URL(url).port), [Symbol.asyncDispose]: () => app.close() };
}

/** Sends bytes over a socket and gives everything that comes back until the server closes. */
export function talk(port: number, bytes: Buffer | string, limitMs = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.setTimeout(limitMs, () => socket.destroy(new Error('the server did not close the connection')));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

/** A raw POST of the chat route. */
export function rawPost(body: Buffer, headers: readonly string[] = []): Buffer {
  const head = ['POST /v1/chat/completions HTTP/1.1', 'host: localhost', 'content-type: application/json', `content-length: ${body.length}`, ...headers];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\nconnection: close\r\n\r\n`), body]);
}

/** Everything that an async iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const user = (content: string): { role: 'user'; content: string } => ({ role: 'user', content });
