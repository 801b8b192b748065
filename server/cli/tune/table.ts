/**
 * Owns how measurements of kernels look to people, and the words for why a tile was chosen. Refuses to choose.
 */
import type { TimedTile, TunedShape, Tuning } from '../../../runtime/index.ts';
import type { Style } from '../style.ts';

const heads: Readonly<Record<Tuning['source'], string>> = {
  'built-in': 'Nothing of this model has been measured on this device: the built-in choice runs.',
  stored: 'As measured before.',
  measured: 'Measured now.',
};

/** One table a shape, then how to read them. */
export function formatTuning(tuning: Tuning, style: Style): string {
  const { source, file, shapes, isDeterministic } = tuning;
  const sections = shapes.map((shape) => [style.bold(shape.shape), ...formatShape(shape).map((line) => `  ${line}`), ''].join('\n'));
  return [
    `${heads[source]}${file === undefined || source === 'built-in' ? '' : ` Kept in ${file}.`}`,
    '',
    ...sections,
    'A tile t4q2 computes four tokens and two times four rows a lane; a step takes the smallest that holds its tokens, a larger step the last one several times.',
    isDeterministic
      ? 'Deterministic: all tiles of a shape add in one order, so no result depends on what else is in the batch.'
      : 'Not deterministic: tiles of a shape may add in different orders.',
    'Times are of one dispatch, the least of several; a tile that is not built in must save that much of the least and of the usual time. What is chosen is fixed from the start of a process to its end.',
    '',
  ].join('\n');
}

function formatShape(shape: TunedShape): string[] {
  const { chosen, builtIn } = shape;
  const rows = listTimes(shape).map((time) => [String(time.tokens), time.tile, time.ms.toFixed(3), noteOf(shape, time)]);
  const lines = rows.length === 0 ? [] : alignRows([['tokens', 'tile', 'ms', ''], ...rows]);
  const differs = chosen.join() !== builtIn.join();
  return [...lines, `runs with ${chosen.join(' ')}${differs ? `; built in ${builtIn.join(' ')}` : ' (built in)'}`, ...explainShape(shape)];
}

/** By number of tokens, then fastest first. */
function listTimes({ times }: TunedShape): TimedTile[] {
  return times.toSorted((a, b) => a.tokens - b.tokens || a.ms - b.ms);
}

function noteOf({ chosen, builtIn }: TunedShape, { tile }: TimedTile): string {
  const notes = [...(chosen.includes(tile) ? ['chosen'] : []), ...(builtIn.includes(tile) ? ['built in'] : [])];
  return notes.join(', ');
}

/** Why each number of tokens has the tile that it has; one sentence each. */
export function explainShape(shape: TunedShape): string[] {
  const { candidates, isMeasured } = shape;
  if (!isMeasured) return ['not measured'];
  const counts = [...new Set(candidates.map(tokensOf))];
  return [...counts.flatMap((tokens) => explainCount(shape, tokens)), ...explainLast(shape)];
}

function explainCount({ candidates, chosen, builtIn, times, leastGain }: TunedShape, tokens: number): string[] {
  const rivals = candidates.filter((tile) => tokensOf(tile) === tokens);
  if (rivals.length < 2) return [];
  const timeOf = (tile: string | undefined): number | undefined => times.find((time) => time.tile === tile && time.tokens === tokens)?.ms;
  const own = chosen.find((tile) => tokensOf(tile) === tokens);
  const before = builtIn.find((tile) => tokensOf(tile) === tokens);
  const untimed = rivals.filter((tile) => timeOf(tile) === undefined);
  const left = untimed.length === 0 ? '' : ` (the time ended before ${untimed.join(', ')})`;
  if (untimed.length === rivals.length) return [`${tokens}: ${own ?? 'none'}, built in; the time ended before anything was compared`];
  if (own === undefined) return [];
  if (own === before) return [`${tokens}: ${own}, built in; no other takes ${percent(leastGain)} less${left}`];
  const [ms, builtInMs] = [timeOf(own), timeOf(before)];
  const gain = ms === undefined || builtInMs === undefined ? '' : `; takes ${percent(1 - ms / builtInMs)} less than the built-in ${before}`;
  return [`${tokens}: ${own}, the fastest${gain}${left}`];
}

/** Whether the largest tile is worth having, by steps that fill it several times. */
function explainLast({ candidates, chosen, times }: TunedShape): string[] {
  const many = Math.max(...times.map(({ tokens }) => tokens));
  const largest = Math.max(...candidates.map(tokensOf));
  const compared = times.filter(({ tokens }) => tokens === many && many > largest).toSorted((a, b) => a.ms - b.ms);
  const [fast, slow] = compared;
  if (fast === undefined || slow === undefined) return [];
  const last = chosen.at(-1);
  return [`from ${tokensOf(last ?? '')} on: ${last}; for ${many} tokens ${compared.map(({ tile, ms }) => `${tile} takes ${ms.toFixed(3)} ms`).join(', ')}`];
}

/** `t4q2` -> 4. */
function tokensOf(tile: string): number {
  return Number(/\d+/.exec(tile)?.[0] ?? 0);
}

function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}

function alignRows(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 3 ? cell : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
