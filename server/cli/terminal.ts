/**
 * Owns the border between text of a model and a terminal.
 */
import type { Output } from '../world.ts';

/** Escape sequences could retitle, recolour or remap the reader's terminal; a pipe gets the text as it is. */
export function toTerminal(piece: string, output: Output): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is meant
  return output.isTTY === true ? piece.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\ufffd') : piece;
}
