/** Owns how a soak is told to people. */
import { formatBytes } from '../../runtime/index.ts';
import type { Bound, SoakRecord } from './judge.ts';

export function formatSoak({ device, model, seed, clients, seconds, ends, codes, counts, resident, bounds }: SoakRecord): string[] {
  const list = (entries: Readonly<Record<string, number>>): string =>
    Object.entries(entries)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `${model} on ${device}, ${clients} clients, seed ${seed}, ${seconds} s`,
    `requests: ${list(ends)}${codes.length > 0 ? ` (${codes.join(', ')})` : ''}`,
    `took place: ${list(counts)}`,
    ...(resident === null
      ? []
      : (['engine', 'parent'] as const).map(
          (name) => `${name} process: ${formatBytes(resident.first[name])} at first, ${formatBytes(resident.last[name])} at last`,
        )),
    '',
    ...formatBounds(bounds),
  ];
}

function formatBounds(bounds: readonly Bound[]): string[] {
  const width = Math.max(...bounds.map(({ name }) => name.length));
  const round = (value: number): string => String(Math.round(value * 1e4) / 1e4);
  return bounds.map(({ name, found, bound, isLeast = false, isMet }) => {
    const verdict = isMet === null ? 'not judged' : isMet ? 'met' : 'BROKEN';
    return `${name.padEnd(width)}  ${round(found).padStart(8)}  ${isLeast ? '>=' : '<='} ${round(bound).padStart(6)}  ${verdict}`;
  });
}
