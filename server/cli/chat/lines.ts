/**
 * Owns what the user types: lines of a terminal, with editing and a history in memory, or of a pipe. Text pasted on a
 * terminal is one message, however many lines it has.
 * Refuses to write anything to a disk, and keeps the terminal's echo out of an answer that is being written.
 */
import { createInterface, type Interface } from 'node:readline';
import type { World } from '../../world.ts';
import { Echo, eraseTyped, showPrompt } from '../editor.ts';
import { toTerminal } from '../terminal.ts';

const historySize = 100;
/** Terminals that know bracketed paste put marks around pasted text. */
const pasteMarks = { on: '\x1b[?2004h', off: '\x1b[?2004l' } as const;

export interface Lines extends Disposable {
  /** What is typed comes from a terminal, and what is printed goes to one. */
  readonly isTerminal: boolean;
  /** Shows the prompt; the next message, or undefined when there will be no more (Ctrl-D, end of the pipe). */
  read(prompt: string): Promise<string | undefined>;
  /** No more lines, now. */
  end(): void;
  /** Forgets the lines of the history. */
  forget(): void;
}

/** `onInterrupt` is called with each Ctrl-C, unless it only takes back what was being typed. */
export function openLines(world: World, onInterrupt: () => void): Lines {
  const isTerminal = world.in.isTTY === true && world.out.isTTY === true;
  const echo = new Echo(world.out);
  const reader = createInterface(isTerminal ? { input: world.in, output: echo, terminal: true, historySize } : { input: world.in, terminal: false });
  const inbox = new Inbox(reader);
  let recent: string[] = [];
  reader.on('history', (history: string[]) => {
    recent = history;
  });
  if (isTerminal) watchTerminal(reader, world, inbox, echo, onInterrupt);
  return {
    isTerminal,
    read: async (prompt) => {
      if (isTerminal && inbox.first !== undefined) world.out.write(`${prompt}${toTerminal(inbox.first, world.out)}\n`);
      else if (isTerminal && !inbox.hasEnded) showPrompt(reader, prompt, echo);
      const line = await inbox.next();
      echo.isMuted = true;
      return line;
    },
    end: () => {
      inbox.clear();
      reader.close();
    },
    forget: () => {
      recent.length = 0;
    },
    [Symbol.dispose]: () => {
      recent.length = 0;
      reader.close();
      if (isTerminal) world.out.write(pasteMarks.off);
    },
  };
}

function watchTerminal(reader: Interface, world: World, inbox: Inbox, echo: Echo, onInterrupt: () => void): void {
  world.out.write(pasteMarks.on);
  world.in.on('keypress', (_text: string | undefined, key: { readonly name?: string } | undefined) => {
    if (key?.name === 'paste-start') inbox.isPasting = true;
    if (key?.name === 'paste-end') inbox.isPasting = false;
  });
  reader.on('SIGINT', () => {
    const wasTyping = !echo.isMuted && (reader.line !== '' || inbox.dropPasted());
    if (!wasTyping) onInterrupt();
    else eraseTyped(reader);
  });
}

/** Messages that have come and nobody has taken yet. */
class Inbox {
  readonly #reader: Interface;
  readonly #waiting: string[] = [];
  #pasted: string[] = [];
  #wake: (() => void) | undefined;
  isPasting = false;
  hasEnded = false;

  constructor(reader: Interface) {
    this.#reader = reader;
    reader.on('line', (line) => this.#take(line));
    reader.on('close', () => {
      this.hasEnded = true;
      this.#wake?.();
    });
  }

  async next(): Promise<string | undefined> {
    if (!this.hasEnded) this.#reader.resume();
    while (this.#waiting.length === 0 && !this.hasEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#waiting.shift();
  }

  /** The next message, if it is there already. */
  get first(): string | undefined {
    return this.#waiting[0];
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  /** Whether there was some. */
  dropPasted(): boolean {
    const had = this.#pasted.length > 0;
    this.#pasted = [];
    return had;
  }

  #take(line: string): void {
    this.#pasted.push(line);
    if (this.isPasting) return;
    this.#waiting.push(this.#pasted.join('\n'));
    this.#pasted = [];
    // A pipe may hold more than fits into memory. A terminal is listened to all the time, for Ctrl-C.
    if (!this.#reader.terminal) this.#reader.pause();
    this.#wake?.();
  }
}
