/**
 * Owns a strict reader of Prometheus' text format, version 0.0.4, written from its specification
 * (prometheus/docs, content/docs/instrumenting/exposition_formats.md) and from what its clients demand of names. Throws at the first fault.
 */
export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ReadSample[];
}

interface Growing {
  type?: string;
  help?: string;
  readonly samples: ReadSample[];
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const headLine = new RegExp(`^# (HELP|TYPE) (${metricName}) (.+)$`);
const sampleLine = new RegExp(`^(${metricName})(?:\\{(.*)\\})? (\\S+)$`, 's');
const goFloat = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Families by name. */
export function readExposition(text: string): Map<string, ReadFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  if (text.includes('\r')) throw new Error('a carriage return');
  const families = new Map<string, Growing>();
  const series = new Set<string>();
  let current: [string, Growing] | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith('#')) current = readHead(line, families, current);
    else {
      const sample = readSample(line);
      if (current === undefined || !belongs(sample.name, current)) throw new Error(`${sample.name} stands outside of its family`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (series.has(key)) throw new Error(`${key} is there twice`);
      series.add(key);
      current[1].samples.push(sample);
    }
  }
  return new Map([...families].map(([name, family]) => [name, checkFamily(name, family)]));
}

function readHead(line: string, families: Map<string, Growing>, current: [string, Growing] | undefined): [string, Growing] {
  const [, word, name = '', rest = ''] = headLine.exec(line) ?? [];
  if (word === undefined) throw new Error(`neither HELP nor TYPE: ${line}`);
  const isNew = current?.[0] !== name;
  if (isNew && families.has(name)) throw new Error(`${name} is no one group`);
  const family = families.get(name) ?? { samples: [] };
  families.set(name, family);
  if (family.samples.length > 0) throw new Error(`${word} of ${name} comes after its samples`);
  if (word === 'HELP') {
    if (family.help !== undefined) throw new Error(`${name} has two HELP lines`);
    if (/\\(?![\\n])/.test(rest.replaceAll('\\\\', ''))) throw new Error(`HELP of ${name} has a wrong escape`);
    family.help = rest;
  } else {
    if (family.type !== undefined) throw new Error(`${name} has two TYPE lines`);
    if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest)) throw new Error(`${name} has the type ${rest}`);
    family.type = rest;
  }
  return [name, family];
}

function belongs(name: string, [family, { type }]: [string, Growing]): boolean {
  return type === 'histogram' ? ['_bucket', '_sum', '_count'].some((end) => name === family + end) : name === family;
}

function readSample(line: string): ReadSample {
  const [, name, labels, value = ''] = sampleLine.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  return { name, labels: labels === undefined ? {} : readLabels(labels), value: readFloat(value) };
}

function readFloat(text: string): number {
  if (text === 'NaN') return Number.NaN;
  if (/^[+-]?Inf$/.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (!goFloat.test(text)) throw new Error(`no number: ${text}`);
  return Number(text);
}

/** Character by character, because a value may hold anything but what it must escape. */
function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const [head, name = ''] = /^([a-zA-Z_][a-zA-Z0-9_]*)="/.exec(rest) ?? [];
    if (head === undefined || name.startsWith('__') || name in labels) throw new Error(`no label, or one that is there already: ${rest}`);
    const [value, length] = readValue(rest.slice(head.length));
    labels[name] = value;
    rest = rest.slice(head.length + length);
    if (rest.startsWith(',')) rest = rest.slice(1);
    else if (rest !== '') throw new Error(`no comma: ${rest}`);
  }
  return labels;
}

/** The value up to its closing quote, and how many characters that took. */
function readValue(text: string): readonly [string, number] {
  let value = '';
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') return [value, i + 1];
    if (text[i] === '\\') {
      const escaped = { '\\': '\\', '"': '"', n: '\n' }[text[++i] ?? ''];
      if (escaped === undefined) throw new Error(`a wrong escape: ${text}`);
      value += escaped;
    } else value += text[i];
  }
  throw new Error(`no closing quote: ${text}`);
}

function checkFamily(name: string, { type, help, samples }: Growing): ReadFamily {
  if (type === undefined || help === undefined) throw new Error(`${name} lacks TYPE or HELP`);
  if (name.endsWith('_total') !== (type === 'counter')) throw new Error(`${name} is a ${type}`);
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} counts below zero`);
  if (type === 'histogram') checkHistogram(name, samples);
  return { type, help, samples };
}

function checkHistogram(name: string, samples: readonly ReadSample[]): void {
  const groups = Map.groupBy(samples, ({ labels }) =>
    JSON.stringify(
      Object.entries(labels)
        .filter(([label]) => label !== 'le')
        .sort(),
    ),
  );
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const [sums, counts] = [group.filter((sample) => sample.name === `${name}_sum`), group.filter((sample) => sample.name === `${name}_count`)];
    if (sums.length !== 1 || counts.length !== 1) throw new Error(`${name} lacks a sum or a count`);
    const bounds = buckets.map(({ labels }) => readFloat(labels['le'] ?? ''));
    if (bounds.some((bound, i) => i > 0 && !(bound > (bounds[i - 1] ?? 0)))) throw new Error(`buckets of ${name} do not ascend`);
    if (buckets.some(({ value }, i) => value < (buckets[i - 1]?.value ?? 0))) throw new Error(`buckets of ${name} are not cumulative`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || buckets.at(-1)?.value !== counts[0]?.value) throw new Error(`${name} has not all in its last bucket`);
  }
}

/** The value of one sample of a page; throws when it is not there. */
export function readValueOf(page: ReadonlyMap<string, ReadFamily>, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const family = page.get(name) ?? page.get(name.replace(/_(bucket|sum|count)$/, ''));
  const found = family?.samples.filter((sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value));
  if (found?.length !== 1) throw new Error(`${found?.length ?? 0} samples are ${name} ${JSON.stringify(labels)}`);
  return found[0]?.value ?? Number.NaN;
}
