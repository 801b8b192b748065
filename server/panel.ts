/**
 * Owns what the operator reads when the server has started.
 */

import { formatBytes, type StageInfo, type Tuning } from '../runtime/index.ts';
import type { Style } from './cli/style.ts';
import { summarizeLayers } from './layers.ts';
import type { Models } from './openai/plan.ts';
import type { Agreement } from './privacy/agreement.ts';
import { daysLeft, findWarning } from './privacy/term.ts';

export interface StartFacts {
  readonly url: string;
  /** Of an evaluation; a key for PHI is never printed. */
  readonly key: string | undefined;
  readonly agreement: Agreement | undefined;
}

/** The start-up panel: device, model, memory, what the kernel holds, URL and a request that works as pasted. */
export function describeStart({ engine: { info }, layers = [] }: Models, { url, key, agreement }: StartFacts, style: Style, deviceReason: string): string {
  const rows: readonly (readonly [string, string])[] = [
    ['device', `${info.device} (${deviceReason})`],
    ['driver', `${info.adapter}, subgroups of ${info.subgroupSize}`],
    ['model', `${info.modelName}, family ${info.family}, ${formatCount(info.parameterCount)} parameters`],
    ['memory', `weights ${formatBytes(info.weightBytes)}, KV ${formatBytes(info.kvBytes)} (${info.kv})`],
    ...(info.stages === undefined ? [] : [['stages', describeStages(info.stages)] as const]),
    ['kernels', describeTuning(info.tuning)],
    ['limits', `up to ${info.maxSequences} sequences at a time, up to ${info.contextLength} tokens each`],
    ['loaded', `in ${(info.loadMs / 1000).toFixed(1)} s`],
    ['layers', summarizeLayers(layers)],
    ['terms', agreement === undefined ? 'none' : describeTerms(agreement, style)],
    ['URL', style.bold(url)],
  ];
  const [route, body] =
    info.encoder === undefined
      ? ['/v1/chat/completions', '{"model":"default","messages":[{"role":"user","content":"Say hello."}],"max_tokens":32}']
      : ['/v1/embeddings', '{"model":"default","input":"Hello."}'];
  return [
    '',
    agreement?.kind === 'synthetic'
      ? style.warn('Inward is running in EVALUATION MODE: not for PHI. It answers on this machine only.')
      : style.warn('Inward is running under the agreement below. De-identification and the proof of zero retention are not built yet: no PHI until they are.'),
    '',
    ...rows.map(([name, value]) => `  ${style.dim(name.padEnd(8))}${value}`),
    '',
    'First request:',
    `  curl ${url}${route} -H 'authorization: Bearer ${key ?? 'KEY'}' -H 'content-type: application/json' -d '${body}'`,
    '',
    '',
  ].join('\n');
}

/** `2 devices: layers 0 to 14 with 1.2 GiB, 15 to 29 with 1.3 GiB`. */
function describeStages(stages: readonly StageInfo[]): string {
  const parts = stages.map(
    ({ firstLayer, layerCount, weightBytes, kvBytes }) => `${firstLayer} to ${firstLayer + layerCount - 1} with ${formatBytes(weightBytes + kvBytes)}`,
  );
  return `${stages.length} devices: layers ${parts.join(', ')}`;
}

/** What is shown while no agreement is in force. */
export function describeClosed(url: string, style: Style): string {
  return [
    '',
    style.warn('NO AGREEMENT IS IN FORCE: no model is loaded, and requests are refused with 403 agreement_missing.'),
    '',
    '  For a first look:    npm start (a synthetic agreement of 30 days, not for PHI)',
    '  For PHI:             inward site init --help; docs/administrator.md has every step',
    `  ${style.dim('URL'.padEnd(21))}${style.bold(url)}`,
    '',
    '',
  ].join('\n');
}

/** With a warning from a month before the end on, but for an evaluation, which lasts no longer. */
function describeTerms(agreement: Agreement, style: Style): string {
  const days = daysLeft(agreement, Date.now());
  const line = `${agreement.kind} agreement ${agreement.id} until ${agreement.expires ?? agreement.review}, ${days} ${days === 1 ? 'day' : 'days'} left`;
  return agreement.kind !== 'synthetic' && findWarning(days) !== undefined ? style.warn(line) : line;
}

const sources: Readonly<Record<Tuning['source'], string>> = {
  'built-in': 'the built-in choice',
  stored: 'as measured at an earlier start',
  measured: 'measured on this device now',
};

/** What the kernels were chosen by; fixed as long as the engine is open. */
function describeTuning({ source, shapes }: Tuning): string {
  const differing = shapes.filter(({ chosen, builtIn }) => chosen.join() !== builtIn.join()).length;
  return source === 'built-in' ? sources[source] : `${sources[source]}; not the built-in choice for ${differing} of ${shapes.length} shapes`;
}

/** `134.5 M`. */
export function formatCount(count: number): string {
  const units = ['', ' k', ' M', ' G', ' T'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${unit === 0 ? count : (count / 1000 ** unit).toFixed(1)}${units[unit]}`;
}
