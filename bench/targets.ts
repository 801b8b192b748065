/**
 * Owns what is to be reached, and whether it was: the targets of issues 3 and 4, which are for SmolLM2-135M on CPU devices. Speeds are
 * those of the compared workload. Pure. A target for another device than the measured one is not judged.
 */
import type { DeviceName } from '../runtime/index.ts';
import type { RatioRecord, StreamsRecord } from './record.ts';

export type TargetName = 'decodeVulkan' | 'prefillVulkan' | 'decodeCpu' | 'prefillCpu' | 'streams' | 'decodeSwiftshader' | 'coldStart' | 'resident';

export interface TargetRecord {
  readonly name: TargetName;
  /** In the unit of the target. */
  readonly limit: number;
  /** Null where it was not measured. */
  readonly found: number | null;
  readonly isMet: boolean | null;
}

export interface Facts {
  readonly device: DeviceName;
  readonly vulkan: RatioRecord | undefined;
  readonly cpu: RatioRecord | undefined;
  readonly streams: StreamsRecord;
  /** Decoding of the compared workload, in tokens a second. */
  readonly decodePerSecond: number;
  readonly coldStartMs: number | undefined;
  readonly residentBytes: number;
  readonly modelBytes: number;
}

interface Target {
  readonly what: string;
  readonly unit: 'x' | 'tok/s' | 's' | 'MB';
  readonly device?: DeviceName;
  readonly limit: number | ((facts: Facts) => number);
  /** Whether less is better. */
  readonly isMost?: boolean;
  find(facts: Facts): number | undefined;
}

const vulkan = 'llama.cpp Vulkan on the same device';
const cpu = 'llama.cpp on the CPU';

/** Eight sequences are what the target names. */
const streamCount = 8;

const table: Readonly<Record<TargetName, Target>> = {
  decodeVulkan: { what: `decode over ${vulkan}`, unit: 'x', device: 'lavapipe', limit: 6, find: (facts) => facts.vulkan?.decode.median },
  prefillVulkan: { what: `prefill over ${vulkan}`, unit: 'x', device: 'lavapipe', limit: 3, find: (facts) => facts.vulkan?.prefill.median },
  decodeCpu: { what: `decode over ${cpu}`, unit: 'x', device: 'lavapipe', limit: 0.25, find: (facts) => facts.cpu?.decode.median },
  prefillCpu: { what: `prefill over ${cpu}`, unit: 'x', device: 'lavapipe', limit: 0.2, find: (facts) => facts.cpu?.prefill.median },
  streams: {
    what: `decode of ${streamCount} streams over one`,
    unit: 'x',
    device: 'lavapipe',
    limit: 2.5,
    find: ({ streams }) => (streams.sequences === streamCount ? streams.ratio.median : undefined),
  },
  decodeSwiftshader: { what: 'decode', unit: 'tok/s', device: 'swiftshader', limit: 3, find: (facts) => facts.decodePerSecond },
  coldStart: {
    what: 'cold start to first token',
    unit: 's',
    limit: 10,
    isMost: true,
    find: ({ coldStartMs }) => (coldStartMs === undefined ? undefined : coldStartMs / 1000),
  },
  resident: {
    what: 'resident memory, 2 x model + 400 MB',
    unit: 'MB',
    limit: ({ modelBytes }) => (2 * modelBytes + 400e6) / 1e6,
    isMost: true,
    find: ({ residentBytes }) => residentBytes / 1e6,
  },
};

export const targetNames: readonly TargetName[] = Object.keys(table) as TargetName[];

export function judgeTargets(facts: Facts): TargetRecord[] {
  return targetNames.map((name) => {
    const target = table[name];
    const limit = typeof target.limit === 'number' ? target.limit : target.limit(facts);
    const found = target.device === undefined || target.device === facts.device ? target.find(facts) : undefined;
    if (found === undefined) return { name, limit, found: null, isMet: null };
    return { name, limit, found, isMet: target.isMost ? found <= limit : found >= limit };
  });
}

/** One line: what was to be reached, what was found, the verdict. */
export function formatTarget({ name, limit, found, isMet }: TargetRecord, formatNumber: (value: number) => string): string {
  const { what, unit, device, isMost } = table[name];
  const where = device === undefined ? '' : ` (${device})`;
  const verdict = isMet === null ? 'not measured' : `${formatNumber(found ?? Number.NaN)} ${unit}: ${isMet ? 'met' : 'missed'}`;
  return `target   ${what}${where} ${isMost ? '<=' : '>='} ${formatNumber(limit)} ${unit}: ${verdict}`;
}
