/**
 * Owns how the line editor of Node reaches a terminal: shown while something is asked, and silent at every other time, so that
 * neither an answer of a model nor a passphrase has typed letters in it.
 */
import type { Interface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Output } from '../world.ts';

/**
 * What was typed while nobody asked is taken out of the line while its echo is muted, and put back behind the prompt: else
 * the editor would move the cursor over an answer.
 */
export function showPrompt(reader: Interface, prompt: string, echo: Echo): void {
  const typed = reader.line;
  if (typed !== '') eraseTyped(reader);
  echo.isMuted = false;
  reader.setPrompt(prompt);
  reader.prompt();
  if (typed !== '') reader.write(typed);
}

export function eraseTyped(reader: Interface): void {
  reader.write(null, { ctrl: true, name: 'e' });
  reader.write(null, { ctrl: true, name: 'u' });
}

/** The terminal as the line editor sees it; what it writes while muted is lost. */
export class Echo extends Writable {
  readonly isTTY = true;
  readonly #output: Output;
  isMuted = true;

  constructor(output: Output) {
    super({ decodeStrings: false });
    this.#output = output;
  }

  get columns(): number {
    return this.#output.columns ?? 80;
  }

  override _write(text: string, _encoding: string, done: () => void): void {
    if (!this.isMuted) this.#output.write(text);
    done();
  }
}
