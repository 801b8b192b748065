/**
 * Owns a chart of horizontal bars as SVG, readable on light and dark ground. Pure: a description in, text out.
 * Bars of one unit share one scale; the line on a bar goes from the lowest to the highest round.
 */
import type { Statistic } from './arithmetic.ts';

export interface Bar {
  readonly name: string;
  readonly value: Statistic;
}

export interface BarGroup {
  readonly label: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

export interface Chart {
  readonly title: string;
  /** Device, machine and date. */
  readonly caption: string;
  readonly groups: readonly BarGroup[];
}

export const width = 760;
const margin = 16;
/** Where bars begin, and how long the longest is; its value stands behind it. */
const barLeft = 190;
const barLength = 400;
const barHeight = 16;
const rowHeight = 22;
const groupHeight = 34;
const headHeight = 40;
const footHeight = 34;

/** Distinct without colour too: their order in a group is the order of the key. Readable on white and on black. */
const colours = ['#2f81f7', '#d29922', '#8b949e', '#a371f7'] as const;

/** Of every picture; `more` are rules for what only one has. */
export function openSvg(height: number, title: string, more = ''): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`;
  return [head, `<title>${escapeText(title)}</title>`, `<style>\n${style}${more}</style>`].join('\n');
}

const style = `
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 }
.group { font-weight: 600 }
.caption { font-size: 11px }
.range { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .range { stroke: #e6edf3 } }
`;

/** The SVG text. */
export function drawChart({ title, caption, groups }: Chart, formatNumber: (value: number) => string): string {
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  // Where nothing was reached, no bar has a length.
  const largest = (unit: string): number =>
    Math.max(...groups.filter((group) => group.unit === unit).flatMap(({ bars }) => bars.map(({ value }) => value.max))) || 1;
  const parts: string[] = [text(margin, 26, title, 'title')];
  let y = headHeight;
  for (const { label, unit, bars } of groups) {
    parts.push(text(margin, y + 22, `${label} (${unit})`, 'group'));
    y += groupHeight;
    for (const { name, value } of bars) {
      parts.push(...drawBar(y, name, value, largest(unit), colours[names.indexOf(name) % colours.length] ?? colours[0], formatNumber));
      y += rowHeight;
    }
  }
  parts.push(text(margin, y + 22, caption, 'caption'));
  const height = y + footHeight;
  return `${[openSvg(height, title), ...parts, '</svg>'].join('\n')}\n`;
}

function drawBar(y: number, name: string, { median, min, max }: Statistic, longest: number, colour: string, formatNumber: (value: number) => string): string[] {
  const lengthOf = (value: number): number => (value / longest) * barLength;
  const at = (value: number): string => (barLeft + lengthOf(value)).toFixed(1);
  const middle = y + barHeight / 2;
  const range = min === max ? [] : [`<line class="range" x1="${at(min)}" x2="${at(max)}" y1="${middle}" y2="${middle}"/>`];
  return [
    `<text x="${barLeft - 8}" y="${y + 13}" text-anchor="end">${escapeText(name)}</text>`,
    `<rect x="${barLeft}" y="${y}" width="${lengthOf(median).toFixed(1)}" height="${barHeight}" fill="${colour}"/>`,
    ...range,
    `<text x="${Number(at(max)) + 8}" y="${y + 13}">${formatNumber(median)}</text>`,
  ];
}

function text(x: number, y: number, content: string, kind: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${escapeText(content)}</text>`;
}

export function escapeText(content: string): string {
  return content.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
