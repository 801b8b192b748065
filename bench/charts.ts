/** Owns which charts a record gives, and their files: decode.svg, prefill.svg, kernels.svg. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Workload } from './arithmetic.ts';
import type { BenchRecord } from './record.ts';
import { formatNumber } from './report.ts';
import { type BarGroup, type Chart, drawChart } from './svg.ts';

/** By file name; no kernels.svg where the kernels were not measured. */
export function createCharts(record: BenchRecord): Map<string, Chart> {
  const { device, machine, model, rounds, date, version, kernels } = record;
  const where = `${device} on ${machine.cpu}, ${machine.cores} cores; Inward ${version}, ${date}; ${rounds === 1 ? 'one round' : `medians of ${rounds} rounds (lowest to highest)`}`;
  const speeds = (title: string, key: 'decodePerSecond' | 'prefillPerSecond'): Chart => ({
    title: `${title}, ${model.file.replace(/\.gguf$/, '')}`,
    caption: where,
    groups: groupRuns(record, key),
  });
  const charts = new Map([
    ['decode.svg', speeds('Decoding', 'decodePerSecond')],
    ['prefill.svg', speeds('Prefill', 'prefillPerSecond')],
  ]);
  const groups = kernels.map(
    ({ chain, tokens, unit, sides }): BarGroup => ({
      label: `${chain}, ${tokens === 1 ? 'one vector' : `${tokens} vectors`}`,
      unit,
      bars: sides.map(({ name, rate }) => ({ name, value: rate })),
    }),
  );
  if (groups.length > 0) charts.set('kernels.svg', { title: '4-bit matrices times vectors', caption: where, groups });
  return charts;
}

/** A group a workload, in the order of the first engine; engines that did not run it have no bar. */
function groupRuns({ engines }: BenchRecord, key: 'decodePerSecond' | 'prefillPerSecond'): BarGroup[] {
  const labels = [...new Set(engines.flatMap(({ runs }) => runs.map(describe)))];
  return labels.map((label) => ({
    label,
    unit: 'tok/s',
    bars: engines.flatMap(({ name, runs }) => runs.filter((run) => describe(run) === label).map((run) => ({ name, value: run[key] }))),
  }));
}

function describe({ sequences, promptTokens, newTokens }: Workload): string {
  return `${sequences === 1 ? '' : `${sequences} sequences, each `}prompt of ${promptTokens} tokens, ${newTokens} new`;
}

/** Gives the paths of the files. */
export function writeCharts(record: BenchRecord, folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return [...createCharts(record)].map(([name, chart]) => {
    const path = join(folder, name);
    writeFileSync(path, drawChart(chart, formatNumber));
    return path;
  });
}
