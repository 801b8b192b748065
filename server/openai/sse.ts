/**
 * Owns the writing of a server-sent event stream on a hijacked reply: headers, frames, back-pressure.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export interface EventStream {
  /** Sends one frame; waits while the client reads slowly; rejects when `signal` aborts meanwhile. */
  send(data: object | '[DONE]', signal: AbortSignal): Promise<void>;
  end(): void;
}

/** Takes the reply from Fastify and sends the headers. */
export function openEventStream(reply: FastifyReply): EventStream {
  reply.hijack();
  const raw: ServerResponse = reply.raw;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    // The end of the stream also ends its connection: a stopping server then waits for no kept one.
    connection: 'close',
    'x-accel-buffering': 'no',
  });
  return {
    send: async (data, signal) => {
      const hasRoom = raw.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
      if (!hasRoom) await once(raw, 'drain', { signal });
    },
    end: () => {
      raw.end();
    },
  };
}
