/**
 * Owns what is to be reached, and whether it was: targets for small models on CPU devices. Speeds are those of the compared workload, and
 * what was measured with other numbers than a target names is not judged, nor is a target for another device. Pure.
 */
import type { DeviceName } from '../runtime/index.ts';
import type { Workload } from './arithmetic.ts';
import { chainNames } from './kernels/chain.ts';
import { labelOf } from './kernels/side.ts';
import { type EngineName, peerLabels } from './peer.ts';
import type { ContextRecord, KernelRecord, RatioRecord, StreamsRecord } from './record.ts';

export const targetNames = [
  'matvecFeedForward',
  'matvecSquare',
  'matmulFeedForward',
  'matmulSquare',
  'decodeVulkan',
  'decodeTransformers',
  'decodeCpu',
  'prefillVulkan',
  'prefillTransformers',
  'prefillCpu',
  'context',
  'streams',
  'decodeSwiftshader',
  'coldStart',
  'resident',
] as const;
export type TargetName = (typeof targetNames)[number];

export interface TargetRecord {
  readonly name: TargetName;
  /** In the unit of the target. */
  readonly limit: number;
  /** What is wished beyond the limit; null where nothing is. */
  readonly reach: number | null;
  /** Null where it was not measured. */
  readonly found: number | null;
  readonly isMet: boolean | null;
}

export interface Facts {
  readonly device: DeviceName;
  readonly compared: Workload;
  readonly ratios: readonly RatioRecord[];
  readonly kernels: readonly KernelRecord[];
  readonly streams: StreamsRecord;
  readonly context: ContextRecord | null;
  /** Decoding of the compared workload, in tokens a second. */
  readonly decodePerSecond: number;
  readonly coldStartMs: number | undefined;
  readonly residentBytes: number;
  readonly modelBytes: number;
}

interface Target {
  readonly what: string;
  readonly unit: 'x' | 'tok/s' | 's' | 'MB' | '%';
  readonly device?: DeviceName;
  readonly limit: number | ((facts: Facts) => number);
  readonly reach?: number;
  /** Whether less is better. */
  readonly isMost?: boolean;
  find(facts: Facts): number | undefined;
}

type Limits = Pick<Target, 'limit' | 'reach'>;

/** What the targets name. */
const streamCount = 8;
const prefillTokens = 256;
const contextLengths = [128, 2048];

const places: Readonly<Record<EngineName, string>> = { vulkan: ' on the same device', transformers: ' on the same device', cpu: '' };

function overPeer(what: 'decode' | 'prefill', peer: EngineName, limits: Limits): Target {
  const label = peerLabels[peer];
  return {
    what: `${what === 'prefill' ? `prefill of ${prefillTokens} tokens` : what} over ${label}${places[peer]}`,
    unit: 'x',
    device: 'lavapipe',
    ...limits,
    find: ({ ratios, compared }) =>
      what === 'prefill' && compared.promptTokens !== prefillTokens ? undefined : ratios.find(({ against }) => against === label)?.[what].median,
  };
}

function overOrt(chain: string, tokens: number, limits: Limits): Target {
  const label = labelOf('ortWebgpu');
  return {
    what: `Q4 ${chain}, ${tokens === 1 ? 'one vector' : `${tokens} vectors`}, over ${label}`,
    unit: 'x',
    device: 'lavapipe',
    ...limits,
    find: ({ kernels }) =>
      kernels.find((kernel) => kernel.chain === chain && kernel.tokens === tokens)?.ratios.find(({ against }) => against === label)?.ratio.median,
  };
}

const table: Readonly<Record<TargetName, Target>> = {
  matvecFeedForward: overOrt(chainNames.feedForward, 1, { limit: 12 }),
  matvecSquare: overOrt(chainNames.square, 1, { limit: 12 }),
  matmulFeedForward: overOrt(chainNames.feedForward, 128, { limit: 2.5, reach: 3.5 }),
  matmulSquare: overOrt(chainNames.square, 128, { limit: 2.5, reach: 3.5 }),
  decodeVulkan: overPeer('decode', 'vulkan', { limit: 10 }),
  decodeTransformers: overPeer('decode', 'transformers', { limit: 8 }),
  decodeCpu: overPeer('decode', 'cpu', { limit: 0.4, reach: 1 }),
  prefillVulkan: overPeer('prefill', 'vulkan', { limit: 6 }),
  prefillTransformers: overPeer('prefill', 'transformers', { limit: 3 }),
  prefillCpu: overPeer('prefill', 'cpu', { limit: 0.4, reach: 0.5 }),
  context: {
    what: `decode after ${contextLengths[1]} tokens, of that after ${contextLengths[0]}`,
    unit: '%',
    device: 'lavapipe',
    limit: 70,
    find: ({ context }) => (context?.promptTokens.join() === contextLengths.join() ? context.ratio.median * 100 : undefined),
  },
  streams: {
    what: `decode of ${streamCount} streams over one`,
    unit: 'x',
    device: 'lavapipe',
    limit: 3,
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

export function judgeTargets(facts: Facts): TargetRecord[] {
  return targetNames.map((name) => {
    const target = table[name];
    const limit = typeof target.limit === 'number' ? target.limit : target.limit(facts);
    const reach = target.reach ?? null;
    const found = target.device === undefined || target.device === facts.device ? target.find(facts) : undefined;
    if (found === undefined) return { name, limit, reach, found: null, isMet: null };
    return { name, limit, reach, found, isMet: target.isMost ? found <= limit : found >= limit };
  });
}

/** One line: what was to be reached, what was found, the verdict; and what is wished beyond it. */
export function formatTarget({ name, limit, reach, found, isMet }: TargetRecord, formatNumber: (value: number) => string): string {
  const { what, unit, device, isMost } = table[name];
  const where = device === undefined ? '' : ` (${device})`;
  const verdict = found === null ? 'not measured' : `${formatNumber(found)} ${unit}: ${isMet ? 'met' : 'missed'}`;
  const wish = reach === null ? '' : `; reach for ${formatNumber(reach)} ${unit}${found === null ? '' : found >= reach ? ': reached' : ': not reached'}`;
  return `target   ${what}${where} ${isMost ? '<=' : '>='} ${formatNumber(limit)} ${unit}: ${verdict}${wish}`;
}
