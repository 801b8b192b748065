/**
 * Owns the overwriting of what Node keeps of requests that it has read: the one buffer that all connections are read into, and the room
 * that each parser has for a head that comes in pieces, a few KB, and for the last path in any case. Parsers are used again and
 * keep both meanwhile. A server of its own, in the abstract names of Linux, gets zeros. Source: Node's src/node_http_parser.cc.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';

/** Node reads 64 KiB at a time: several times that, so that one reading is full wherever the body begins. */
const bodySize = 4 * 2 ** 16;
/** As many parsers as Node keeps. */
const mostParsers = 1000;

/** Larger fields first, each size twice: whatever the room is, up to twice the largest, it is full to the last few bytes. */
const fields = Array.from({ length: 12 }, (_, step) => `0: ${'0'.repeat(2 ** (13 - step))}\r\n`).flatMap((field) => [field, field]);
/** A request, whose answer says that all was read, and the head of another that is never complete: that is what a parser must keep. */
const heads = `GET / HTTP/1.1\r\nhost: scrub\r\n\r\nGET / HTTP/1.1\r\n${fields.join('')}`;

/** So many parsers that are free now, those that were used last, and the buffer. Rejects where the signal aborts. */
export async function overwriteReads(parserCount: number, signal: AbortSignal): Promise<void> {
  if (process.platform !== 'linux') return;
  const path = `\0inward-${randomUUID()}`;
  const server = createServer({ maxHeaderSize: 2 ** 16 }, (request, response) => {
    request.resume().once('end', () => response.end());
  });
  server.listen({ path, backlog: mostParsers });
  await once(server, 'listening');
  const sockets: Socket[] = [];
  const open = (): Socket => {
    const socket = connect(path);
    sockets.push(socket);
    return socket;
  };
  try {
    // All at once, or they would share one parser.
    await Promise.all(Array.from({ length: Math.min(parserCount, mostParsers) }, () => fillParser(open(), signal)));
    await fillBuffer(open(), signal);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  }
}

async function fillParser(socket: Socket, signal: AbortSignal): Promise<void> {
  socket.write(heads);
  await once(socket, 'data', { signal });
}

async function fillBuffer(socket: Socket, signal: AbortSignal): Promise<void> {
  socket.write(`POST / HTTP/1.1\r\nhost: scrub\r\nconnection: close\r\ncontent-length: ${bodySize}\r\n\r\n`);
  socket.write(Buffer.alloc(bodySize));
  socket.resume();
  await once(socket, 'close', { signal });
}
