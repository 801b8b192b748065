/** Owns what a run of the quality bench leaves behind, as JSON, and how that looks in a terminal: a closed set of numbers and names, nothing of a text. */
import type { ActivationFormat, KvFormat } from '../../runtime/index.ts';
import type { Machine } from '../machine.ts';
import { alignColumns } from '../report.ts';
import type { Distance } from './statistics.ts';

export interface FormatRecord extends Distance {
  readonly kv: KvFormat;
  readonly activations: ActivationFormat;
  /** Of all layers. */
  readonly kvBytesPerToken: number;
}

export interface QualityRecord {
  readonly date: string;
  readonly version: string;
  readonly machine: Machine;
  readonly device: string;
  readonly model: string;
  readonly seed: number;
  readonly passages: number;
  /** Positions at which the token that follows was scored. */
  readonly positions: number;
  /** The first one is the reference. */
  readonly formats: readonly FormatRecord[];
}

export function formatQuality({ device, model, seed, passages, positions, formats }: QualityRecord): string[] {
  const head = ['KV', 'activations', 'NLL', 'perplexity', 'mean |d|', 'p99 |d|', 'max |d|', 'KL at least', 'same top', 'bytes a token'];
  const rows = formats.map(({ kv, activations, kvBytesPerToken, ...found }, i) => [
    ...[kv, activations, found.meanNll.toFixed(5), found.perplexity.toFixed(4)],
    ...(i === 0 ? ['-', '-', '-', '-', '-'] : differences(found)),
    String(kvBytesPerToken),
  ]);
  const lengths = `${passages} ${passages === 1 ? 'passage' : 'passages'}, ${positions} positions, seed ${seed}`;
  return [
    `model    ${model} on ${device}`,
    `texts    ${lengths}`,
    "d        difference of the log-probability of a text's own token, in nats",
    '',
    ...alignColumns([head, ...rows], true),
  ];
}

const differences = ({ mean, p99, max, divergence, agreement }: Distance): string[] => [
  ...[mean, p99, max].map((value) => value.toFixed(5)),
  divergence.toExponential(1),
  `${(100 * agreement).toFixed(2)} %`,
];
