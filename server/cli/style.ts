/**
 * Owns colour: used on a terminal only, and NO_COLOR, FORCE_COLOR and TERM=dumb have their say.
 * Refuses escape sequences of anyone else (terminal.ts).
 */
import { styleText } from 'node:util';
import type { Output } from '../world.ts';

type Paint = (text: string) => string;

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly warn: Paint;
  readonly bad: Paint;
}

/** What writes to this output in colour, or leaves text as it is. */
export function createStyle(output: Output, environment: Readonly<Record<string, string | undefined>>): Style {
  const isOn = hasColor(output, environment);
  const paint =
    (format: Parameters<typeof styleText>[0]): Paint =>
    (text) =>
      isOn && text !== '' ? styleText(format, text, { validateStream: false }) : text;
  return { bold: paint('bold'), dim: paint('dim'), good: paint('green'), warn: paint('yellow'), bad: paint('red') };
}

/** FORCE_COLOR goes over NO_COLOR, as in Node; an empty NO_COLOR does not count (no-color.org). */
function hasColor(output: Output, environment: Readonly<Record<string, string | undefined>>): boolean {
  const { FORCE_COLOR: force, NO_COLOR: no, TERM: term } = environment;
  if (force !== undefined) return force !== '0' && force !== 'false';
  return output.isTTY === true && !no && term !== 'dumb';
}
