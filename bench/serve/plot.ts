/**
 * Owns the picture of a load: for each kind of request, which part of its times is below what, for first tokens and for the time between
 * tokens. Pure: a record in, SVG out. Lines differ in dashes as well as in colour.
 */
import { escapeText, openSvg, width } from '../svg.ts';
import type { ServeRecord } from './record.ts';
import type { Distribution } from './statistics.ts';

interface Series {
  readonly name: string;
  readonly ttft: Distribution | null;
  readonly itl: Distribution | null;
}

/** Okabe and Ito (2008): told apart by the colour-blind, readable on white and on black; without the yellow, which is not on white. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8b949e'] as const;
const dashes = ['none', '8 3', '2 3', '10 3 2 3', '5 5', '14 4', '1 2'] as const;

const left = 56;
const right = 24;
const top = 56;
const panelHeight = 200;
const panelGap = 56;
const rowHeight = 20;
const marks = [0.5, 0.95, 0.99] as const;

export function drawLoad(record: ServeRecord): string {
  const series = chooseSeries(record);
  const keyTop = top + 2 * (panelHeight + panelGap);
  const height = keyTop + series.length * rowHeight + 24;
  const title = 'Times under load';
  const parts = [
    `<text class="title" x="16" y="26">${title}</text>`,
    ...drawPanel(top, 'time to first token, ms', series, 'ttft'),
    ...drawPanel(top + panelHeight + panelGap, 'time between tokens, ms', series, 'itl'),
    ...series.flatMap(({ name }, index) => drawKey(keyTop + index * rowHeight, name, index)),
    `<text class="caption" x="16" y="${height - 8}">${escapeText(describe(record))}</text>`,
  ];
  return `${[openSvg(height, title, rules), ...parts, '</svg>'].join('\n')}\n`;
}

const rules =
  '.grid { stroke: #8b949e; stroke-opacity: 0.3 }\n.mark { stroke: #8b949e; stroke-opacity: 0.6; stroke-dasharray: 2 4 }\n.line { fill: none; stroke-width: 2 }\n';

/** Kinds rather than their sum, sides of experiments rather than experiments. */
function chooseSeries({ summaries, experiments }: ServeRecord): Series[] {
  const kinds = summaries.length > 1 ? summaries.slice(1) : summaries;
  return [...kinds, ...experiments.flatMap(({ sides }) => sides)];
}

function describe({ device, machine, model, date, load }: ServeRecord): string {
  const what = load === null ? 'experiments' : `${load.source}, ${load.requests} requests`;
  return `${what}; ${model}, ${device ?? 'a running server'} on ${machine.cpu}, ${machine.cores} cores; ${date}`;
}

function drawPanel(y: number, label: string, series: readonly Series[], key: 'ttft' | 'itl'): string[] {
  const bottom = y + panelHeight;
  const curves = series.map((one) => one[key]?.curve);
  const positive = curves.flatMap((curve) => curve ?? []).filter((value) => value > 0);
  const [low, high] = positive.length === 0 ? [0, 1] : decades(Math.min(...positive), Math.max(...positive));
  const atX = (value: number): number => left + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (width - left - right);
  const atY = (share: number): number => bottom - share * panelHeight;
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => low + index).flatMap((power) => {
    const x = atX(10 ** power).toFixed(1);
    return [
      `<line class="grid" x1="${x}" x2="${x}" y1="${y}" y2="${bottom}"/>`,
      `<text x="${x}" y="${bottom + 18}" text-anchor="middle">${nameDecade(power)}</text>`,
    ];
  });
  const shares = marks.flatMap((share) => [
    `<line class="mark" x1="${left}" x2="${width - right}" y1="${atY(share).toFixed(1)}" y2="${atY(share).toFixed(1)}"/>`,
    // The last two would stand on each other.
    ...(share === 0.95 ? [] : [`<text x="${left - 6}" y="${(atY(share) + 4).toFixed(1)}" text-anchor="end">p${100 * share}</text>`]),
  ]);
  const lines = curves.flatMap((curve, index) => {
    if (curve === undefined) return [];
    const points = curve.map((value, percent) => `${atX(value).toFixed(1)},${atY(percent / 100).toFixed(1)}`);
    return [
      `<polyline class="line" stroke="${colours[index % colours.length]}" stroke-dasharray="${dashes[index % dashes.length]}" points="${points.join(' ')}"/>`,
    ];
  });
  return [`<text class="group" x="${left}" y="${y - 8}">${label}</text>`, ...ticks, ...shares, ...lines];
}

/** Whole powers of ten around. */
function decades(low: number, high: number): [number, number] {
  const from = Math.floor(Math.log10(low));
  return [from, Math.max(from + 1, Math.ceil(Math.log10(high)))];
}

function nameDecade(power: number): string {
  return power < 0 ? (10 ** power).toFixed(-power) : String(10 ** power);
}

function drawKey(y: number, name: string, index: number): string[] {
  const [colour, dash] = [colours[index % colours.length], dashes[index % dashes.length]];
  return [
    `<line class="key" x1="${left}" x2="${left + 48}" y1="${y - 4}" y2="${y - 4}" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/>`,
    `<text x="${left + 58}" y="${y}">${escapeText(name)}</text>`,
  ];
}
