/**
 * Owns Prometheus' text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): families of samples -> lines.
 * Refuses to know what is measured.
 */
import type { LatencyHistogram } from '../../runtime/index.ts';

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string | number>>;
/** A value with what tells it from the others of its family. */
export type Sample = readonly [labels: Labels, value: number];

/** All samples of one name. */
export type Family = { readonly name: string; readonly help: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly labels: Labels; readonly histogram: LatencyHistogram }
);

/** The page; each name may come once. */
export function renderFamilies(families: readonly Family[]): string {
  return families
    .flatMap((family) => [`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} ${family.type}`, ...renderSamples(family), ''])
    .join('\n');
}

function renderSamples(family: Family): string[] {
  const { name } = family;
  if (family.type !== 'histogram') return family.samples.map(([labels, value]) => renderSample(name, labels, value));
  const { labels, histogram } = family;
  let count = 0;
  const buckets = histogram.counts.map((own, index) => {
    count += own;
    return renderSample(`${name}_bucket`, { ...labels, le: formatNumber(histogram.bounds[index] ?? Number.POSITIVE_INFINITY) }, count);
  });
  return [...buckets, renderSample(`${name}_sum`, labels, histogram.sum), renderSample(`${name}_count`, labels, count)];
}

function renderSample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${formatNumber(value)}`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => escapes[character] ?? character);
}

/** As Go's strconv reads it. */
function formatNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
