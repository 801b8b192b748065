/**
 * Owns the pipe between this process and one of ours: messages both ways, read into a buffer of its own and written from one, both wiped.
 * Refuses Node's channel between processes: that leaves the bytes of messages in memory that is freed as it is, where nobody can reach them.
 */
import type { ChildProcess } from 'node:child_process';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { decodeFrame, encodeFrame, FrameReader } from './frames.ts';

/** Of the child: no input, no output, and the pipe. */
export const linkedStdio: ('ignore' | 'pipe')[] = ['ignore', 'ignore', 'ignore', 'pipe'];
/** Place of the pipe. */
const descriptor = 3;
/** Bytes that are read at a time, and of a message that needs no buffer of its own. */
const bufferSize = 2 ** 16;
const none: Buffer = Buffer.alloc(0);

export interface LinkListener<Received> {
  message(message: Received): void;
  /** What came was no message, and nothing more will come. */
  broken?(): void;
  /** The other process is gone. */
  closed?(): void;
}

export class Link<Sent extends object, Received> {
  readonly #socket: Socket;
  readonly #scratch: Buffer = Buffer.alloc(bufferSize);
  /** The system has not taken yet what lies there. */
  #isScratchBusy = false;
  #listener: LinkListener<Received> | undefined;

  private constructor(options: SocketConstructorOpts) {
    const buffer = Buffer.alloc(bufferSize);
    const reader = new FrameReader((frame) => this.#receive(decodeFrame(frame)));
    const callback = (size: number): boolean => {
      if (!reader.push(buffer.subarray(0, size))) this.#break();
      return true;
    };
    this.#socket = new Socket({ ...options, onread: { buffer, callback } });
    // What goes wrong with it closes it.
    this.#socket.on('error', () => undefined).on('close', () => this.#listener?.closed?.());
    this.#socket.resume();
  }

  /** To a process that was started with `linkedStdio`. */
  static toChild<Sent extends object, Received>(child: ChildProcess): Link<Sent, Received> {
    // The socket that Node has made of the pipe would read into memory of its own. There is none where nothing was started.
    const made = child.stdio[descriptor] as unknown as { _handle: SocketConstructorOpts['handle'] | null };
    const { _handle: handle } = made;
    made._handle = null;
    const link = new Link<Sent, Received>(handle == null ? {} : { handle });
    if (handle == null) link.close();
    return link;
  }

  /** To the process that started this one. */
  static toParent<Sent extends object, Received>(): Link<Sent, Received> {
    return Link.over(descriptor);
  }

  /** Over a pipe that this process was started with. */
  static over<Sent extends object, Received>(fd: number): Link<Sent, Received> {
    return new Link({ fd, readable: true, writable: true });
  }

  /** In place of who listened before. */
  listen(listener: LinkListener<Received>): void {
    this.#listener = listener;
  }

  /** Does nothing where the other process is gone. Throws TypeError where the message cannot cross. */
  send(message: Sent): undefined {
    const socket = this.#socket;
    if (!socket.writable) return;
    const frame = encodeFrame(message, this.#isScratchBusy ? none : this.#scratch);
    const isScratch = frame.buffer === this.#scratch.buffer;
    let isTaken = false;
    const take = (): void => {
      if (isTaken) return;
      isTaken = true;
      frame.fill(0);
      if (isScratch) this.#isScratchBusy = false;
    };
    if (isScratch) this.#isScratchBusy = true;
    socket.write(frame, take);
    // As a rule the system takes all of it at once.
    if (socket.writableLength === 0) take();
  }

  /** Whether it keeps this process alive. */
  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /** Nothing is read or sent any more. */
  close(): void {
    this.#socket.destroy();
  }

  #receive(message: unknown): void {
    if (message === undefined) this.#break();
    else if (!this.#socket.destroyed) this.#listener?.message(message as Received);
  }

  #break(): void {
    if (this.#socket.destroyed) return;
    this.close();
    this.#listener?.broken?.();
  }
}
