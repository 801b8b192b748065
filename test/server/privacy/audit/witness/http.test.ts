/** The client of add-checkpoint, before the small witness and before servers that misbehave. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { Cosigner } from '../../../../../server/privacy/audit/witness/cosigner.ts';
import { createWitnessServer } from '../../../../../server/privacy/audit/witness/desk.ts';
import { HttpWitness } from '../../../../../server/privacy/audit/witness/http.ts';
import { parseLogKey } from '../../../../../server/privacy/audit/witness/logs.ts';
import { NoteFile } from '../../../../../server/privacy/audit/witness/notes.ts';
import { openWitness } from '../../../../../server/privacy/audit/witness.ts';
import { ca, readPair } from '../../../tls-help.ts';
import { codeOf, SmallLog } from './small-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-witness-http-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const opened: Server[] = [];
afterEach(() => {
  for (const server of opened.splice(0)) server.close().closeAllConnections();
});

async function listen(server: Server): Promise<number> {
  opened.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener): Promise<number> => listen(http.createServer(listener));
const open = (port: number, timeoutMs?: number, protocol = 'http'): HttpWitness => {
  const destination = `127.0.0.1:${port}`;
  return new HttpWitness({ url: new URL(`${protocol}://${destination}/prefix/`), destination, manifestOutbound: () => [destination], timeoutMs });
};

describe('before the small witness', () => {
  let count = 0;
  async function openDesk(log: SmallLog): Promise<{ readonly port: number; readonly path: string; readonly sockets: () => number }> {
    const path = join(folder, `checkpoints-${count++}`);
    const server = createWitnessServer({
      notes: await NoteFile.open(path),
      keys: [parseLogKey(log.key)].flatMap((key) => key ?? []),
      cosigner: new Cosigner(Buffer.alloc(32, 7)),
    });
    let sockets = 0;
    server.on('connection', () => sockets++);
    return { port: await listen(server), path, sockets: () => sockets };
  }

  test('keeps checkpoint after checkpoint on one connection, and asks for the size when it does not know it', async () => {
    const log = new SmallLog();
    const desk = await openDesk(log);
    const notes = [log.grow(3), log.grow(1), log.grow(4)];
    {
      await using witness = open(desk.port);
      for (const note of notes.slice(0, 2)) await witness.keep(note);
      expect(desk.sockets()).toBe(1);
    }
    await using witness = open(desk.port);
    for (const note of notes.slice(2)) await witness.keep(note);
    await witness.keep(log.at(8));
    expect(readFileSync(desk.path, 'utf8')).toBe(notes.map(({ note }) => note).join(''));
  });

  test('finds an older copy and another history', async () => {
    const log = new SmallLog();
    log.grow(4);
    const twin = log.fork();
    const desk = await openDesk(log);
    await using witness = open(desk.port);
    await witness.keep(log.grow(4));
    expect(await codeOf(open(desk.port).keep(log.at(6)))).toBe('rolled_back');
    expect(await codeOf(open(desk.port).keep(twin.grow(4, 'another')))).toBe('forked');
    expect(await codeOf(witness.keep(twin.at(8)))).toBe('forked');
    expect(await codeOf(witness.keep(twin.grow(3, 'another')))).toBe('forked');
    await witness.keep(log.grow(1));
  });

  test('an unknown log and a key that was not given', async () => {
    const log = new SmallLog();
    const desk = await openDesk(log);
    expect(await codeOf(open(desk.port).keep(new SmallLog().grow(1)))).toBe('unknown_log');
    log.rotate();
    expect(await codeOf(open(desk.port).keep(log.grow(1)))).toBe('key_refused');
  });

  test('a witness that has lost its file begins anew', async () => {
    const log = new SmallLog();
    const [first, second] = [await openDesk(log), await openDesk(log)];
    let port = first.port;
    const forward = await serve((request, response) => {
      const { url, method, headers } = request;
      request.pipe(http.request({ port, path: url, method, headers }, (answer) => answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers))));
    });
    await using witness = open(forward);
    await witness.keep(log.grow(3));
    ({ port } = second);
    await witness.keep(log.grow(3));
    expect(readFileSync(second.path, 'utf8')).toBe(log.at(6).note);
  });
});

test('sends what the specification has, and nothing else', async () => {
  const log = new SmallLog();
  const requests: (readonly [IncomingMessage, string])[] = [];
  const port = await serve((request, response) => {
    void readText(request).then((text) => {
      requests.push([request, text]);
      if (requests.length === 1) return response.writeHead(409).end('3\n');
      return response.end('\u2014 witness.example/w1 AAAA\n');
    });
  });
  await using witness = open(port);
  log.grow(3);
  const checkpoint = log.grow(4);
  await witness.keep(checkpoint);
  const proof = checkpoint.proveFrom(3).map((node) => `${Buffer.from(node).toString('base64')}\n`);
  // RFC 6962, section 2.1.3: the proof from 3 to 7 is [c, d, g, l].
  expect(proof).toHaveLength(4);
  expect(requests.map(([, text]) => text)).toEqual([`old 0\n\n${checkpoint.note}`, `old 3\n${proof.join('')}\n${checkpoint.note}`]);
  const [[request] = []] = requests;
  expect([request?.method, request?.url]).toEqual(['POST', '/prefix/add-checkpoint']);
  expect(Object.keys(request?.headers ?? {}).sort()).toEqual(['connection', 'content-length', 'content-type', 'host']);
});

const answer =
  (status: number, body = '', headers = {}) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    request.resume().on('end', () => response.writeHead(status, headers).end(body));
  };

test.each([
  ['500', 'protocol', answer(500, 'a text that nobody wants')],
  ['200 without a cosignature', 'protocol', answer(200)],
  ['200 with another text', 'protocol', answer(200, '<html>a portal</html>')],
  ['409 without a size', 'protocol', answer(409)],
  ['409 with the size that was sent', 'protocol', answer(409, '0\n')],
  [
    '409 with another size each time',
    'protocol',
    (() => {
      let size = 1;
      return (request: IncomingMessage, response: ServerResponse) => answer(409, `${size++}\n`)(request, response);
    })(),
  ],
  ['409 with a size above ours', 'rolled_back', answer(409, '9\n')],
  ['409 with a size beyond all numbers', 'protocol', answer(409, '9999999999999999\n')],
  ['422', 'forked', answer(422)],
  ['403', 'key_refused', answer(403)],
  ['404', 'unknown_log', answer(404)],
  ['a long body', 'protocol', answer(200, '\u2014 a AAAA\n'.repeat(2000))],
  [
    'an endless body',
    'protocol',
    (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(1000)), 1);
      response.on('close', () => clearInterval(timer));
    },
  ],
  ['a connection that closes', 'unreachable', (request: IncomingMessage) => void request.socket.destroy()],
  [
    'a connection that closes in the middle',
    'unreachable',
    (request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': 100 }).write('\u2014 ');
      setTimeout(() => request.socket.destroy(), 20);
    },
  ],
  ['silence', 'timeout', () => undefined],
  ['a body that stops', 'timeout', (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).write('\u2014 ')],
  ['headers without end', 'unreachable', (request: IncomingMessage) => void request.socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`)],
])('%s is %s', async (_, code, listener) => {
  const port = await serve(listener);
  await using witness = open(port, 300);
  const log = new SmallLog();
  expect(await codeOf(witness.keep(log.grow(5)))).toBe(code);
});

test('a redirect is not followed', async () => {
  let visits = 0;
  const other = await serve((_, response) => {
    visits++;
    response.end('\u2014 a AAAA\n');
  });
  for (const status of [301, 302, 307, 308]) {
    const port = await serve(answer(status, '', { location: `http://127.0.0.1:${other}/add-checkpoint` }));
    expect(await codeOf(open(port).keep(new SmallLog().grow(1)))).toBe('protocol');
  }
  expect(visits).toBe(0);
});

test('after a failure the next one works', async () => {
  let count = 0;
  const port = await serve((request, response) => (count++ === 0 ? request.socket.destroy() : answer(200, '\u2014 a AAAA\n')(request, response)));
  await using witness = open(port);
  const log = new SmallLog();
  expect(await codeOf(witness.keep(log.grow(1)))).toBe('unreachable');
  await witness.keep(log.at(1));
});

test('only what the manifest names is reached, as it is at that moment', async () => {
  let visits = 0;
  const port = await serve((request, response) => {
    visits++;
    answer(200, '\u2014 a AAAA\n')(request, response);
  });
  let outbound: readonly string[] = [`127.0.0.1:${port + 1}`, `localhost:${port}`];
  const log = new SmallLog();
  await using witness = await openWitness(`http://127.0.0.1:${port}`, () => outbound, { id: log.id, folder });
  expect(await codeOf(witness.keep(log.grow(1)))).toBe('not_permitted');
  outbound = [`127.0.0.1:${port}`];
  await witness.keep(log.at(1));
  outbound = [];
  expect(await codeOf(witness.keep(log.grow(1)))).toBe('not_permitted');
  expect(visits).toBe(1);
});

test('closing ends what is under way', async () => {
  const arrived = Promise.withResolvers<void>();
  const port = await serve(() => arrived.resolve());
  const witness = open(port);
  const kept = codeOf(witness.keep(new SmallLog().grow(1)));
  await arrived.promise;
  await witness[Symbol.asyncDispose]();
  expect(await kept).toBe('closed');
  expect(await codeOf(witness.keep(new SmallLog().grow(1)))).toBe('closed');
});

test('a certificate that nobody vouches for is refused, also where the environment says otherwise', async () => {
  let visits = 0;
  const server = https.createServer(readPair('server'), (request, response) => {
    visits++;
    answer(200, '\u2014 a AAAA\n')(request, response);
  });
  const port = await listen(server);
  // Node warns of that variable.
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  try {
    expect(await codeOf(open(port, 2000, 'https').keep(new SmallLog().grow(1)))).toBe('unreachable');
  } finally {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    warning.mockRestore();
  }
  expect(visits).toBe(0);
});

test('a certificate of a trusted authority is taken, for its own name only', async () => {
  const server = https.createServer(readPair('server'), answer(200, '\u2014 a AAAA\n'));
  const port = await listen(server);
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, ca]);
  try {
    await open(port, 2000, 'https').keep(new SmallLog().grow(1));
    const destination = `127.0.0.2:${port}`;
    const elsewhere = new HttpWitness({ url: new URL(`https://${destination}`), destination, manifestOutbound: () => [destination] });
    server.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.listen(port, '127.0.0.2', () => resolve(undefined)));
    expect(await codeOf(elsewhere.keep(new SmallLog().grow(1)))).toBe('unreachable');
  } finally {
    setDefaultCACertificates(before);
  }
});

test('nobody listens', async () => {
  const server = http.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  opened.length = 0;
  expect(await codeOf(open(port).keep(new SmallLog().grow(1)))).toBe('unreachable');
});
