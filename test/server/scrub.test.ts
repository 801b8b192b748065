/** What the HTTP process holds of requests once it has had nothing to do for a moment, seen from another process. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { countCopies } from '../../scripts/residue.ts';
import { Scrubber } from '../../server/scrub.ts';
import { talk, until, user } from './help.ts';

const [requestCount, markersEach] = [20, 40];

class EchoServer implements AsyncDisposable {
  readonly #child;
  #out = '';

  constructor(shape: 'paced' | 'plain', busyMs = 60_000) {
    const program = fileURLToPath(new URL('./serve-echo.ts', import.meta.url));
    this.#child = spawn(process.execPath, [program, shape, String(busyMs)], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout.on('data', (text) => (this.#out += text));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get port(): number {
    return Number(new URL(this.#out.split('\n')[0] ?? '').port);
  }

  get scrubCount(): number {
    return this.#out.split('scrubbed').length - 1;
  }

  async ready(): Promise<void> {
    await until(() => this.#out.includes('\n'), 30_000);
  }

  /** On a connection of its own; gives the answer. */
  post(path: string, body: string | Buffer, type = 'application/json'): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const asked = request(new URL(path, this.#out.split('\n')[0]), { method: 'POST', agent: false, headers: { 'content-type': type } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.once('end', () => resolve(text));
    });
    asked.once('error', reject).end(body);
    return promise;
  }

  /** Sends the beginning of a body; what is given back breaks it off. */
  begin(path: string): () => void {
    const asked = request(new URL(path, this.#out.split('\n')[0]), {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': 100 },
    });
    asked.on('error', () => undefined).write('{');
    return () => asked.destroy();
  }

  /** What is not HTTP. */
  babble(text: string): Promise<string> {
    return talk(this.port, text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await new Promise((resolve) => this.#child.once('close', resolve));
  }
}

describe.each(['plain', 'paced'] as const)('answers that are %s', (shape) => {
  test('no copy of any marker is left after the scrub', async (context) => {
    if (process.platform !== 'linux') return context.skip('the memory of another process is read from /proc');
    await using server = new EchoServer(shape);
    await server.ready();
    const marker = randomBytes(12).toString('hex');
    const content = (index: number): string => Array.from({ length: markersEach }, (_, place) => `${marker}-${index}-${place}`).join(' ');
    for (let index = 0; index < requestCount; index++) {
      const base = { model: 'default', stream: index % 2 === 0, max_tokens: 3000 };
      const answer =
        index % 4 < 2
          ? await server.post('/v1/chat/completions', JSON.stringify({ ...base, messages: [user(content(index))] }))
          : await server.post('/v1/completions', JSON.stringify({ ...base, prompt: content(index) }));
      // A whole answer repeats the question.
      if (!base.stream) expect(answer.split(marker).length - 1).toBe(markersEach);
    }
    const [before] = countCopies([server.pid], [marker]);
    await refuseAll(server, content(99));
    await sendHeads(server, content(98));
    const scrubs = server.scrubCount;
    await until(() => server.scrubCount > scrubs, 30_000);
    const [after] = countCopies([server.pid], [marker]);
    console.log(`copies of ${requestCount * markersEach} markers, ${shape}: ${total(before)} before the scrub, ${total(after)} after`, after?.places);
    expect(total(before)).toBeGreaterThan(markersEach);
    expect(after).toMatchObject({ latin1: 0, utf16: 0 });
  }, 120_000);
});

test('what has ended is gone also while there is always a request open', async (context) => {
  if (process.platform !== 'linux') return context.skip('the memory of another process is read from /proc');
  await using server = new EchoServer('plain', 3000);
  await server.ready();
  const marker = randomBytes(12).toString('hex');
  // Its body is never complete, and it has nothing of the others.
  const open = server.begin('/v1/completions');
  for (let index = 0; index < 10; index++) await server.post('/v1/completions', JSON.stringify({ model: 'default', prompt: `${marker}-${index} `.repeat(40) }));
  const [before] = countCopies([server.pid], [marker]);
  const scrubs = server.scrubCount;
  // The first may have begun before.
  await until(() => server.scrubCount > scrubs + 1, 60_000);
  const [after] = countCopies([server.pid], [marker]);
  expect(total(before)).toBeGreaterThan(40);
  expect(after).toMatchObject({ latin1: 0, utf16: 0 });
  open();
}, 120_000);

test('long texts leave nothing in the thread that searches them, which lives on', async (context) => {
  if (process.platform !== 'linux') return context.skip('the memory of another process is read from /proc');
  await using server = new EchoServer('plain');
  await server.ready();
  const marker = randomBytes(12).toString('hex');
  const text = `Dr. Okonkwo saw ${marker} on 3/14/2024.\n`.repeat(1200);
  for (let index = 0; index < 3; index++) expect(await server.post('/v1/deidentify', JSON.stringify({ text }))).toContain('[NAME-1]');
  const scrubs = server.scrubCount;
  const [before] = countCopies([server.pid], [marker]);
  await until(() => server.scrubCount > scrubs, 30_000);
  const [after] = countCopies([server.pid], [marker]);
  expect(total(before)).toBeGreaterThan(1000);
  expect(after).toMatchObject({ latin1: 0, utf16: 0 });
}, 120_000);

/** Requests that are refused hold content too. */
async function refuseAll(server: EchoServer, content: string): Promise<void> {
  const refused = [
    `{"model":"default","messages":[{"role":"user","content":"${content}"}`,
    JSON.stringify({ model: 'default', messages: [user(content)], [content.slice(0, 60)]: 1 }),
    JSON.stringify({ model: content, messages: [user(content)] }),
    Buffer.concat([Buffer.from(`{"model":"${content}`), Buffer.of(0xff)]),
    `${'['.repeat(40)}"${content}"`,
  ];
  for (const body of refused) expect(await server.post('/v1/chat/completions', body)).toContain('"error"');
  const word = content.split(' ')[0] ?? '';
  for (const type of [`text/${word}`, `application/${word}`, `application/json; charset=${word}`, `application/json; a=${word}`]) {
    expect(await server.post('/v1/chat/completions', '{}', type)).toContain('"error"');
  }
  expect(await server.babble(`${word} / HTTP/7.7\r\n${content}\r\n\r\n`)).toContain('"error"');
}

/** Heads that come in pieces, some never whole, on connections that are open at the same time; and a path that cannot be read. */
async function sendHeads(server: EchoServer, content: string): Promise<void> {
  const [word = ''] = content.split(' ');
  const sockets = Array.from({ length: 6 }, () => connect(server.port, '127.0.0.1'));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const pieces = [`GET /docs/%zz${word} HTTP/1.1\r\nhost: a\r\nx-first: ${content}`, `${content}\r\nx-second: ${content}\r\nx-th`, `ird: ${word}\r\n\r\n`];
  for (const [turn, piece] of pieces.entries()) {
    for (const socket of turn === 2 ? sockets.slice(3) : sockets) socket.write(piece);
    // Two that come at once are read as one.
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  for (const socket of sockets) socket.destroy();
  // Connections that are kept use what these have left.
  for (let index = 0; index < 6; index++)
    connect(server.port, '127.0.0.1')
      .on('error', () => undefined)
      .write('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
  await server.post('/v1/completions', '{}');
}

function total(copies: { readonly latin1: number; readonly utf16: number } | undefined): number {
  return (copies?.latin1 ?? Number.NaN) + (copies?.utf16 ?? Number.NaN);
}

describe('when', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('once, some time after the last request has ended, and not while one is open', async () => {
    let count = 0;
    const scrubber = new Scrubber({ scrub: async () => void count++, delayMs: 1000 });
    const [first, second] = [scrubber.enter(), scrubber.enter()];
    first();
    vi.advanceTimersByTime(5000);
    expect(count).toBe(0);
    second();
    vi.advanceTimersByTime(999);
    const third = scrubber.enter();
    vi.advanceTimersByTime(5000);
    expect(count).toBe(0);
    third();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(count).toBe(1);
  });

  test('once a minute where requests leave no pause, and no more often', async () => {
    const begun = Date.now();
    const times: number[] = [];
    const scrub = async (): Promise<void> => void times.push(Math.round((Date.now() - begun) / 1000));
    const scrubber = new Scrubber({ scrub, delayMs: 1000, overdueMs: 60_000 });
    for (let second = 0; second < 200; second++) {
      const leave = scrubber.enter();
      await vi.advanceTimersByTimeAsync(900);
      leave();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(times).toEqual([60, 120, 180]);
    // The last one left a pause: what that one has done needs no other.
    await vi.advanceTimersByTimeAsync(200_000);
    expect(times.splice(0)).toEqual([60, 120, 180, 201]);
    // One that is open for long.
    const leave = scrubber.enter();
    await vi.advanceTimersByTimeAsync(130_000);
    leave();
    expect(times).toEqual([460, 520]);
  });

  test('a request that comes while one runs ends it, and it is made up for', async () => {
    const signals: AbortSignal[] = [];
    const scrubber = new Scrubber({ scrub: async (signal) => void signals.push(signal), delayMs: 10 });
    scrubber.enter()();
    await vi.advanceTimersByTimeAsync(100);
    const leave = scrubber.enter();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    leave();
    await vi.advanceTimersByTimeAsync(100);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  test('one that fails is tried again after the next request', async () => {
    let count = 0;
    const scrubber = new Scrubber({ scrub: () => Promise.reject(new Error(`${++count}`)), delayMs: 10 });
    scrubber.enter()();
    await vi.advanceTimersByTimeAsync(100);
    scrubber.enter()();
    await vi.advanceTimersByTimeAsync(100);
    expect(count).toBe(2);
  });
});

test('nothing is collected once a request has come in the middle', async () => {
  let scrubs = 0;
  const scrubber = new Scrubber({ delayMs: 1, onScrub: () => scrubs++ });
  // By then it waits for the server of its own that gets zeros.
  const listening = vi.spyOn(Server.prototype, 'listen');
  scrubber.enter()();
  await until(() => listening.mock.calls.length > 0, 5000).finally(() => listening.mockRestore());
  const leave = scrubber.enter();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(scrubs).toBe(0);
  leave();
  await until(() => scrubs === 1, 5000);
});

describe('watching a server', () => {
  let scrubs = 0;
  const server = createServer((asked, answer) => void asked.resume().once('end', () => answer.end()));
  const port = (): number => (server.address() as AddressInfo).port;
  const ask = async (path: string): Promise<unknown> => {
    const [answer] = await once(request({ host: '127.0.0.1', port: port(), path, agent: false }).end(), 'response');
    return once((answer as IncomingMessage).resume(), 'end');
  };

  beforeAll(async () => {
    new Scrubber({ scrub: async () => void scrubs++, delayMs: 20 }).watch(server, ({ url }) => url === '/health');
    // As the application has one: then Node answers nothing by itself.
    server.on('clientError', (_error, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  beforeEach(() => void (scrubs = 0));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('requests that hold nothing, and connections that sent nothing, cause none', async () => {
    await ask('/health');
    const silent = connect(port(), '127.0.0.1');
    await once(silent, 'connect');
    silent.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(scrubs).toBe(0);
  });

  test('any other causes one, whatever becomes of it', async () => {
    await ask('/%zz');
    await until(() => scrubs === 1, 5000);
  });

  test('what is no request causes one', async () => {
    expect(await talk(port(), 'no request at all\r\n\r\n')).toContain('400');
    await until(() => scrubs > 0, 5000);
  });
});
