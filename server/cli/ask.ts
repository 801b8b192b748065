/**
 * Owns what a command asks for on a terminal: text, one or several of a closed list, yes or no, a passphrase that is not shown.
 * A wrong answer is told at once and asked for again. Refuses to keep a history, and to take silence for an answer: the end of
 * the input and Ctrl-C end the command.
 */
import { createInterface, type Interface } from 'node:readline';
import { SiteError } from '../privacy/errors.ts';
import type { Output, World } from '../world.ts';
import { Echo, showPrompt } from './editor.ts';

/** Ctrl-C while a question was open; the command ends with the exit code for it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('Interrupted.');
  }
}

export interface Question<T> {
  readonly label: string;
  /** What an answer must be: `one of ...`. */
  readonly expected: string;
  /** What an answer stands for; undefined: it is none. */
  read(text: string): T | undefined;
  /** What an empty answer stands for, as if it had been typed; shown in brackets. */
  readonly standard?: string | undefined;
}

export interface Choices<T extends string> {
  readonly label: string;
  readonly choices: readonly T[];
  readonly standard?: T | undefined;
}

export interface SeveralChoices<T extends string> {
  readonly label: string;
  readonly choices: readonly T[];
  /** What an empty answer stands for; left out, there must be one. */
  readonly standard?: readonly T[] | undefined;
}

export interface Asker extends Disposable {
  /** An answer of one line, without blanks around it. */
  text<T>(question: Question<T>): Promise<T>;
  choice<T extends string>(question: Choices<T>): Promise<T>;
  /** Several of a closed list, in its order, with commas or blanks between them, or `all`. */
  list<T extends string>(question: SeveralChoices<T>): Promise<T[]>;
  confirm(label: string, standard?: boolean): Promise<boolean>;
  /** What is typed is not shown, and nothing is cut off it. */
  passphrase(label: string): Promise<string>;
}

/** Whether somebody is there to ask. */
export function canAsk(world: World): boolean {
  return world.in.isTTY === true && world.out.isTTY === true;
}

/** Only where `canAsk`; one for all questions of a command. Each question throws SiteError at the end of the input, and Interrupted at Ctrl-C. */
export function openAsker(world: World): Asker {
  return new TerminalAsker(world);
}

class TerminalAsker implements Asker {
  readonly #output: Output;
  readonly #echo: Echo;
  readonly #reader: Interface;
  /** Lines that have come and no question has taken yet. */
  readonly #lines: string[] = [];
  #end: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(world: World) {
    this.#output = world.out;
    this.#echo = new Echo(world.out);
    this.#reader = createInterface({ input: world.in, output: this.#echo, terminal: true, historySize: 0 });
    this.#reader.on('line', (line) => {
      // What else came with it answers a later question, which may be for a passphrase.
      this.#echo.isMuted = true;
      this.#lines.push(line);
      this.#wake?.();
    });
    this.#reader.on('SIGINT', () => this.#stop(new Interrupted()));
    this.#reader.on('close', () =>
      this.#stop(new SiteError('The input ended before every question was answered; answer on a terminal, or by options (--help).')),
    );
  }

  async text<T>({ label, expected, read, standard }: Question<T>): Promise<T> {
    const prompt = standard === undefined ? `${label}: ` : `${label} [${standard}]: `;
    for (;;) {
      const answer = (await this.#readLine(prompt)).trim();
      const value = answer === '' && standard === undefined ? undefined : read(answer || (standard ?? ''));
      if (value !== undefined) return value;
      this.#output.write(`Expected ${expected}.\n`);
      // What was typed ahead was for the questions that follow, one of which may be for a passphrase: as an answer to this one it would be shown.
      this.#lines.length = 0;
    }
  }

  choice<T extends string>({ label, choices, standard }: Choices<T>): Promise<T> {
    const read = (text: string): T | undefined => choices.find((choice) => choice === text.toLowerCase());
    return this.text({ label: `${label} (${choices.join(', ')})`, expected: `one of ${choices.join(', ')}`, read, standard });
  }

  list<T extends string>({ label, choices, standard }: SeveralChoices<T>): Promise<T[]> {
    const read = (text: string): T[] | undefined => {
      const words = text
        .toLowerCase()
        .split(/[\s,]+/)
        .filter(Boolean);
      if (words.length === 1 && words[0] === 'all') return [...choices];
      const known: readonly string[] = choices;
      return words.length > 0 && words.every((word) => known.includes(word)) ? choices.filter((choice) => words.includes(choice)) : undefined;
    };
    const shown = standard?.length === choices.length ? 'all' : standard?.join(', ');
    return this.text({ label: `${label} (${choices.join(', ')})`, expected: 'words of this list with commas between them, or all', read, standard: shown });
  }

  confirm(label: string, standard = false): Promise<boolean> {
    const read = (text: string): boolean | undefined => (/^y(es)?$/i.test(text) ? true : /^no?$/i.test(text) ? false : undefined);
    return this.text({ label: `${label} (yes, no)`, expected: 'yes or no', read, standard: standard ? 'yes' : 'no' });
  }

  async passphrase(label: string): Promise<string> {
    this.#output.write(`${label}: `);
    const answer = await this.#next();
    this.#output.write('\n');
    return answer;
  }

  [Symbol.dispose](): void {
    this.#lines.length = 0;
    this.#reader.close();
  }

  async #readLine(prompt: string): Promise<string> {
    if (this.#lines[0] !== undefined) this.#output.write(`${prompt}${this.#lines[0]}\n`);
    else if (this.#end === undefined) showPrompt(this.#reader, prompt, this.#echo);
    return this.#next();
  }

  async #next(): Promise<string> {
    while (this.#lines.length === 0 && this.#end === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    const line = this.#end instanceof Interrupted ? undefined : this.#lines.shift();
    if (line !== undefined) return line;
    this.#echo.isMuted = true;
    this.#output.write('\n');
    throw this.#end;
  }

  #stop(reason: Error): void {
    this.#end ??= reason;
    this.#wake?.();
  }
}
