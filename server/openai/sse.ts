/**
 * Owns the writing of a server-sent event stream on a hijacked reply: headers, frames, back-pressure, and when frames leave:
 * at once, or at the ticks of a pace (pace.ts).
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { type Pace, padFrames, untilTick } from './pace.ts';

export type Events = readonly (object | '[DONE]')[];

/** Makes events when they leave, from what there is by then. */
export type Frame = () => Events;

export interface EventStream {
  /** Sends the events of one frame; waits while the client reads slowly; rejects when `signal` aborts meanwhile. */
  send(frame: Frame, signal: AbortSignal): Promise<void>;
  /** Sends what is left. */
  end(): void;
}

/** Takes the reply from Fastify and sends the headers: at once, or with a `pace` at its next tick. `hasNames`: events are named by their `type`. */
export function openEventStream(reply: FastifyReply, pace?: Pace, hasNames = false): EventStream {
  reply.hijack();
  const raw: ServerResponse = reply.raw;
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    // The end of the stream also ends its connection: a stopping server then waits for no kept one.
    connection: 'close',
    'x-accel-buffering': 'no',
  });
  const format = (events: Events): string => events.map((event) => formatEvent(event, hasNames)).join('');
  return pace === undefined ? openPlain(raw, format) : openPaced(raw, pace, format);
}

type Format = (events: Events) => string;

function openPlain(raw: ServerResponse, format: Format): EventStream {
  return {
    send: async (frame, signal) => {
      const text = format(frame());
      if (text !== '' && !raw.write(text)) await once(raw, 'drain', { signal });
    },
    end: () => {
      raw.end();
    },
  };
}

/** One write at each tick, with what has come since the last one, or with nothing; the end is at a tick too. */
function openPaced(raw: ServerResponse, pace: Pace, format: Format): EventStream {
  let waiting: Frame[] = [];
  let hasEnded = false;
  let failure: { readonly error: unknown } | undefined;
  let timer: NodeJS.Timeout;
  const takeFrames = (): string => {
    const frames = waiting;
    waiting = [];
    try {
      return frames.map((frame) => format(frame())).join('');
    } catch (error) {
      // Thrown in a timer it would end the server; whoever sends next is told.
      failure = { error };
      return '';
    }
  };
  const tick = (): void => {
    // To a client that reads slowly nothing is added, so that nothing piles up; the time that he takes is his own to tell.
    if (!raw.writableNeedDrain) {
      const frames = padFrames(takeFrames(), pace.gridSize);
      // A stream that lacks something must not look whole.
      if (hasEnded) return void (failure === undefined ? raw.end(frames) : raw.destroy());
      raw.write(frames);
    }
    timer = setTimeout(tick, untilTick(pace));
  };
  timer = setTimeout(tick, untilTick(pace));
  raw.once('close', () => clearTimeout(timer));
  return {
    send: async (frame, signal) => {
      const failed = failure;
      failure = undefined;
      if (failed !== undefined) throw failed.error;
      waiting.push(frame);
      if (raw.writableNeedDrain) await once(raw, 'drain', { signal });
    },
    end: () => {
      hasEnded = true;
    },
  };
}

function formatEvent(data: Events[number], hasNames: boolean): string {
  if (typeof data === 'string') return `data: ${data}\n\n`;
  const name = hasNames ? `event: ${(data as { readonly type: string }).type}\n` : '';
  return `${name}data: ${JSON.stringify(data)}\n\n`;
}
