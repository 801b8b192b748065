/** Owns the roofline picture (Williams, Waterman and Patterson 2009): each case at its operations a byte and a second, under the device's two ceilings. */
import { escapeText, openSvg, width } from '../svg.ts';
import { kindNames } from './cases.ts';
import type { SuiteRecord } from './record.ts';

const height = 460;
const left = 60;
const right = 20;
const top = 48;
const bottom = 60;
/** One a kind of case. */
const colours = ['#2f81f7', '#1f6feb', '#8b949e', '#6e7681', '#d29922', '#a371f7', '#bf4b8a', '#3fb950', '#f85149'] as const;

function kindOf(name: string): number {
  return kindNames.findIndex((kind) => name.startsWith(`${kind} `));
}

function colourOf(kind: number): string {
  return colours[kind] ?? colours[0];
}

export function drawRoofline({ device, machine, date, ceilings, results }: SuiteRecord): string {
  // What only moves bytes has no place on a logarithmic axis.
  const points = results
    .filter(({ operations }) => operations > 0)
    .map(({ name, ms, bytes, operations }) => ({ name, kind: kindOf(name), x: operations / bytes, y: operations / ms / 1e6 }));
  const ridge = ceilings.multiplyAdd / ceilings.copy;
  const xs = [ridge, ...points.map(({ x }) => x)];
  const ys = [ceilings.multiplyAdd, ...points.map(({ y }) => y)];
  const [x0, x1] = [Math.floor(Math.log10(Math.min(...xs))), Math.ceil(Math.log10(Math.max(...xs)))];
  const [y0, y1] = [Math.floor(Math.log10(Math.min(...ys))), Math.ceil(Math.log10(Math.max(...ys)))];
  const placeX = (x: number): number => left + ((Math.log10(x) - x0) / Math.max(1, x1 - x0)) * (width - left - right);
  const placeY = (y: number): number => height - bottom - ((Math.log10(y) - y0) / Math.max(1, y1 - y0)) * (height - top - bottom);
  const roof = [10 ** x0, ridge, 10 ** x1]
    .sort((a, b) => a - b)
    .map((x) => `${placeX(x).toFixed(1)},${placeY(Math.max(10 ** y0, Math.min(ceilings.multiplyAdd, x * ceilings.copy))).toFixed(1)}`);
  const ticks = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const parts = [
    ...ticks(x0, x1).map(
      (power) =>
        `<line class="grid" x1="${placeX(10 ** power)}" x2="${placeX(10 ** power)}" y1="${top}" y2="${height - bottom}"/><text x="${placeX(10 ** power)}" y="${height - bottom + 18}" text-anchor="middle">${10 ** power}</text>`,
    ),
    ...ticks(y0, y1).map(
      (power) =>
        `<line class="grid" x1="${left}" x2="${width - right}" y1="${placeY(10 ** power)}" y2="${placeY(10 ** power)}"/><text x="${left - 6}" y="${placeY(10 ** power) + 4}" text-anchor="end">${10 ** power}</text>`,
    ),
    `<polyline class="roof" points="${roof.join(' ')}"/>`,
    ...points.map(
      ({ name, kind, x, y }) =>
        `<circle cx="${placeX(x).toFixed(1)}" cy="${placeY(y).toFixed(1)}" r="4" fill="${colourOf(kind)}"><title>${escapeText(name)}: ${y.toPrecision(3)} GFLOP/s</title></circle>`,
    ),
    ...[...new Set(points.map(({ kind }) => kind))].map(
      (kind, i) =>
        `<circle cx="${left + 6 + i * 84}" cy="${top - 12}" r="4" fill="${colourOf(kind)}"/><text x="${left + 13 + i * 84}" y="${top - 8}">${kindNames[kind]}</text>`,
    ),
    `<text x="${(left + width - right) / 2}" y="${height - 24}" text-anchor="middle">operations a byte</text>`,
    `<text transform="translate(16 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">GFLOP/s</text>`,
    `<text class="caption" x="${left}" y="${height - 6}">${device} on ${escapeText(machine.cpu)}, ${machine.cores} cores; ${date}; ceilings ${ceilings.copy.toFixed(1)} GB/s and ${ceilings.multiplyAdd.toFixed(0)} GFLOP/s, measured</text>`,
  ];
  const rules = '.grid { stroke: #8b949e; stroke-opacity: 0.3 }\n.roof { fill: none; stroke: #8b949e; stroke-width: 2 }\n';
  return `${[openSvg(height, 'Roofline of the kernels', rules), `<text class="title" x="${left}" y="22">Kernels under the device's ceilings</text>`, ...parts, '</svg>'].join('\n')}\n`;
}
