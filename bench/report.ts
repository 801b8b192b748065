/**
 * Owns how a record looks in a terminal: a table of medians with their ranges, bars, targets. Pure: lines out.
 */
import type { Statistic, Workload } from './arithmetic.ts';
import type { BenchRecord, EngineRecord, KernelRecord } from './record.ts';
import { formatTarget } from './targets.ts';

const barWidth = 40;
/** Eighths of a character cell. */
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** The whole report, without the JSON line. */
export function formatReport(record: BenchRecord): string[] {
  return [
    ...formatHead(record),
    '',
    ...formatEngines(record),
    '',
    ...formatBars(record),
    ...formatRatios(record),
    '',
    ...formatKernels(record.kernels),
    ...record.targets.map((target) => formatTarget(target, formatNumber)),
  ];
}

function formatHead({ machine, device, model, rounds, engines }: BenchRecord): string[] {
  const loads = engines.map(({ loadAverage }) => loadAverage);
  const [low, high] = [Math.min(...loads.map(({ min }) => min)), Math.max(...loads.map(({ max }) => max))];
  return [
    `machine  ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, Node ${machine.node}`,
    `device   ${device}: ${engines[0]?.device ?? ''}`,
    `model    ${model.file}, ${formatMegabytes(model.bytes)}`,
    `load     ${low} to ${high} before the measurements, which themselves count; medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} (lowest to highest)`,
  ];
}

/** One column an engine. */
function formatEngines({ engines, dispatchesPerToken, streams, context, coldStart }: BenchRecord): string[] {
  const names = [...new Set(engines.flatMap(({ runs }) => runs.flatMap(rowNames)))];
  const cells = new Map(engines.map((engine) => [engine, new Map(engineCells(engine))]));
  const own = engines[0] && cells.get(engines[0]);
  own?.set('dispatches a token', String(dispatchesPerToken));
  own?.set(`decode of ${streams.sequences} over one`, formatStatistic(streams.ratio));
  if (context !== null) own?.set(`decode after ${context.promptTokens[1]} over after ${context.promptTokens[0]}`, formatStatistic(context.ratio));
  if (coldStart.warmMs !== null) own?.set('cold start, ms', formatStatistic(coldStart.warmMs));
  if (coldStart.emptyMs !== null) own?.set('cold start, kernels compiled anew, ms', formatStatistic(coldStart.emptyMs));
  const rows = [...names, ...new Set([...cells.values()].flatMap((column) => [...column.keys()]).filter((row) => !names.includes(row)))];
  return alignColumns([['', ...engines.map(({ name }) => name)], ...rows.map((row) => [row, ...engines.map((engine) => cells.get(engine)?.get(row) ?? '-')])]);
}

/** One row a chain and count of vectors: the rate of every side, then ours over each of the others. */
export function formatKernels(kernels: readonly KernelRecord[]): string[] {
  const [first] = kernels;
  if (first === undefined) return [];
  const head = ['4-bit matrices', ...first.sides.map(({ name }) => name), ...first.ratios.map(({ against }) => `ours / ${against}`)];
  const rows = kernels.map(({ chain, tokens, unit, sides, ratios }) => [
    `${chain}, ${tokens} ${tokens === 1 ? 'vector' : 'vectors'}, ${unit}`,
    ...sides.map(({ rate }) => formatStatistic(rate)),
    ...ratios.map(({ ratio }) => formatStatistic(ratio)),
  ]);
  return [...alignColumns([head, ...rows]), ''];
}

/** Columns one under the other; `numbers`: all but the first end at their right. */
export function alignColumns(table: readonly (readonly string[])[], numbers = false): string[] {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) =>
    row
      .map((cell, column) => (numbers && column > 0 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

const describe = ({ sequences, promptTokens, newTokens }: Workload): string => `${sequences === 1 ? '' : `${sequences} x `}${promptTokens} + ${newTokens}`;

function rowNames(run: Workload): string[] {
  return [`prefill ${describe(run)}, tok/s`, `decode ${describe(run)}, tok/s`, `first token ${describe(run)}, ms`];
}

function engineCells({ runs, coldFirstTokenMs, loadMs, residentBytes, proportionalBytes, peakBytes }: EngineRecord): [string, string][] {
  const speeds = runs.flatMap((run): [string, string][] => {
    const [prefill = '', decode = '', first = ''] = rowNames(run);
    return [
      [prefill, formatStatistic(run.prefillPerSecond)],
      [decode, formatStatistic(run.decodePerSecond)],
      [first, formatStatistic(run.firstTokenMs)],
    ];
  });
  return [
    ...speeds,
    ['first token after loading, ms', formatStatistic(coldFirstTokenMs)],
    ['load, ms', formatStatistic(loadMs)],
    ['resident (peak), MB', `${formatMegabytes(residentBytes.median, '')} (${formatMegabytes(peakBytes.median, '')})`],
    ['each page once, MB', formatMegabytes(proportionalBytes.median, '')],
  ];
}

/** What was compared, as a picture: the last run of every engine. */
function formatBars({ engines, compared }: BenchRecord): string[] {
  return (['prefillPerSecond', 'decodePerSecond'] as const).flatMap((key) => {
    const values = engines.map(({ name, runs }) => ({ name, value: runs.at(-1)?.[key].median ?? 0 }));
    const longest = Math.max(...values.map(({ value }) => value));
    const width = Math.max(...values.map(({ name }) => name.length));
    const title = `${key === 'prefillPerSecond' ? 'prefill' : 'decode'} ${describe(compared)}, tok/s`;
    return [title, ...values.map(({ name, value }) => `  ${name.padEnd(width)} ${drawBar(value / longest)} ${formatNumber(value)}`)];
  });
}

function formatRatios({ ratios }: BenchRecord): string[] {
  return ratios.map(({ against, prefill, decode }) => `ours / ${against}: prefill ${formatStatistic(prefill)}, decode ${formatStatistic(decode)}`);
}

/** A bar of `fraction` of the full width, to an eighth of a cell. */
export function drawBar(fraction: number): string {
  const length = Math.round(Math.max(0, Math.min(1, Number.isFinite(fraction) ? fraction : 0)) * barWidth * 8);
  return '█'.repeat(Math.floor(length / 8)) + (eighths[length % 8] ?? '');
}

/** Three significant digits, and no digit after the point from 100 on. */
export function formatNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function formatStatistic({ median, min, max }: Statistic): string {
  return min === max ? formatNumber(median) : `${formatNumber(median)} (${formatNumber(min)} to ${formatNumber(max)})`;
}

function formatMegabytes(bytes: number, unit: string = ' MB'): string {
  return `${(bytes / 1e6).toFixed(0)}${unit}`;
}
