/** Owns how a record of the load bench looks in a terminal. Pure: lines out. */
import { alignColumns, formatNumber, formatStatistic } from '../report.ts';
import type { Detail, ExperimentRecord, ServeRecord } from './record.ts';
import type { Distribution } from './statistics.ts';
import type { LoadSummary } from './summary.ts';
import { loadTargets } from './targets.ts';

export function formatServeRecord(record: ServeRecord): string[] {
  const { machine, device, model, load, level, summaries, experiments, rounds } = record;
  return [
    `machine  ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, Node ${machine.node}`,
    `server   ${device === null ? 'one that ran already' : `Inward on ${device}`}, ${model}`,
    ...(load === null
      ? [`rounds   ${rounds}`]
      : [`load     ${load.source}: ${load.requests} requests${load.rate === null ? '' : `, ${formatNumber(load.rate)} a second`}, seed ${load.seed}`]),
    '',
    ...formatSummaries(summaries),
    ...(load === null ? [] : summaries.slice(0, 1).flatMap((all) => formatTotals(all, level))),
    ...experiments.flatMap(formatExperiment),
    ...(experiments.length > 0 ? formatTargets(experiments) : []),
  ];
}

const metrics = [
  ['first token', 'ttft'],
  ['between tokens', 'itl'],
  ['whole answer', 'endToEnd'],
  ['sent late', 'lag'],
] as const;

/** A row for each time and kind of request. */
function formatSummaries(summaries: readonly LoadSummary[]): string[] {
  if (summaries.length === 0) return [];
  const rows = metrics.flatMap(([label, key]) =>
    summaries.flatMap((summary) => {
      const found = summary[key];
      return found === null ? [] : [[`${label}, ${summary.name}`, ...formatDistribution(found)]];
    }),
  );
  return [...alignColumns([['ms', 'p50', 'p95', 'p99', 'max', 'n'], ...rows], true), ''];
}

function formatDistribution({ p50, p95, p99, max, count }: Distribution): string[] {
  return [...[p50, p95, p99, max].map(formatNumber), String(count)];
}

function formatTotals(
  { requests, complete, completionTokens, durationMs, tokensPerSecond, goodput, failures, retryAfterSeconds }: LoadSummary,
  level: ServeRecord['level'],
): string[] {
  const failed = Object.entries(failures).map(([kind, count]) => `${count} x ${kind}`);
  const wait = retryAfterSeconds === null ? '' : `; told to wait ${formatStatistic(retryAfterSeconds)} s`;
  return [
    `answers  ${complete} of ${requests} complete${failed.length > 0 ? `; failed: ${failed.join(', ')}${wait}` : ''}`,
    `tokens   ${completionTokens} in ${formatNumber(durationMs / 1000)} s: ${formatNumber(tokensPerSecond)} tok/s`,
    ...(goodput === null
      ? []
      : [
          `goodput  ${goodput.good} of ${requests} (${(100 * goodput.share).toFixed(1)} %), ${formatNumber(goodput.perSecond)} requests/s: first token within ${level.ttftMs} ms, tokens within ${level.itlMs} ms of each other on average`,
        ]),
  ];
}

function formatExperiment({ name, sides, details, reason }: ExperimentRecord): string[] {
  // Where an answer is one token, a rate is no rate of answers.
  const rates = sides.filter(({ itl }) => itl !== null).map((side) => `  ${side.name}: ${formatNumber(side.tokensPerSecond)} tok/s`);
  const values = details.map((detail) => [`  ${detail.name}`, formatDetail(detail)]);
  return [
    name,
    ...(reason === null ? [] : [`  ${reason}`]),
    ...rates,
    ...alignColumns(values, true),
    ...formatSummaries(sides).map((line) => `  ${line}`.trimEnd()),
    '',
  ];
}

const digits = { ms: 3, '%': 1, tokens: 0 } as const;

function formatDetail({ value, unit }: Detail): string {
  return unit === 'p' ? `p = ${formatP(value)}` : `${value.toFixed(digits[unit])} ${unit}`;
}

/** Three significant digits. */
const formatP = (value: number): string => (value >= 0.001 ? value.toFixed(3) : value.toExponential(1));

function formatTargets(experiments: readonly ExperimentRecord[]): string[] {
  const rows = experiments.map(({ name, limit, found, isMet, reason }) => {
    const { what, unit, isMost } = loadTargets[name];
    const value = found === null ? '-' : unit === 'p' ? `p = ${formatP(found.median)}` : `${formatStatistic(found)} ${unit}`;
    const verdict = isMet === null ? `${found === null ? 'not measured' : 'not judged'}: ${reason ?? ''}` : isMet ? 'met' : 'missed';
    return [`${what} ${isMost ? '<=' : '>='} ${limit}${unit === 'p' ? '' : ` ${unit}`}`, value, verdict];
  });
  return alignColumns([['target', 'found', ''], ...rows]);
}
