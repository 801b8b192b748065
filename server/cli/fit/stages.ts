/**
 * Owns how a plan over several devices looks to people: a bar a stage, the caches, what fits and the floor of the time per token. Refuses to
 * let a computed number stand without saying so.
 */
import { type Accelerator, type CacheFit, type DecodeFloor, formatBytes, type StageFit, type StagePlan } from '../../../runtime/index.ts';
import { formatCount } from '../../panel.ts';
import type { Style } from '../style.ts';
import { formatTable } from '../table.ts';

const barLength = 40;
const marks = { weights: '#', caches: '=', working: '-', free: '.' } as const;

export function formatStages(plan: StagePlan, style: Style): string {
  return [
    ...formatHead(plan, style),
    '',
    formatTable(
      ['stage', 'layers', 'weights', 'caches', 'working', 'together', `of ${formatBytes(plan.device.memory)}`],
      plan.stages.map((stage, i) => describeStage(stage, i, plan.device, style)),
      style,
    ),
    style.dim(
      `${Object.entries(marks)
        .map(([name, mark]) => `${mark} ${name}`)
        .join('  ')}`,
    ),
    '',
    formatTable(['cache', 'layers', 'a token', 'a sequence', 'all sequences'], plan.caches.map(describeCache), style),
    ...formatVerdict(plan, style),
    '',
    ...formatFloors(plan, style),
    '',
  ].join('\n');
}

function formatHead(
  { name, family, parameterCount, modelContextLength, canRun, device, count, maxSequences, contextLength, kv }: StagePlan,
  style: Style,
): string[] {
  const speed = device.bandwidth === undefined ? '' : `, ${device.bandwidth / 1e9} GB/s each`;
  return [
    style.bold(`${name} (${family}), ${formatCount(parameterCount)} parameters, trained for ${modelContextLength} tokens`),
    `on ${count} x ${device.label} (${formatBytes(device.memory)}${speed}): ${maxSequences} ${countWord(maxSequences, 'sequence')} of up to ${contextLength} tokens, caches in ${kv}`,
    style.warn(`Computed from shapes${device.source === undefined ? '' : ` and the ${device.source}`}; nothing of it was measured.`),
    ...(canRun ? [] : [style.warn(`This version of Inward cannot run the family ${family} yet.`)]),
  ];
}

function describeStage(
  { firstLayer, layerCount, weightSize, cacheSize, scratchSize, totalSize, expertSlots, fits }: StageFit,
  i: number,
  device: Accelerator,
  style: Style,
): string[] {
  const bar = drawBar([weightSize, cacheSize, scratchSize], device.memory);
  const layers = layerCount === 1 ? String(firstLayer) : `${firstLayer}-${firstLayer + layerCount - 1}`;
  const slots = expertSlots === undefined ? '' : `, ${expertSlots} experts of a layer at a time`;
  const lack = expertSlots === 0 ? 'not one expert of each layer' : `${formatBytes(totalSize - device.memory)} too much`;
  const verdict = fits ? style.good(`fits${slots}`) : style.bad(`no: ${lack}`);
  return [
    String(i + 1),
    layers,
    ...[weightSize, cacheSize, scratchSize, totalSize].map(formatBytes),
    `[${bar}] ${Math.round((100 * totalSize) / device.memory)} % ${verdict}`,
  ];
}

/** Each size by its mark, rounded so that the whole is right; what is beyond the memory is cut off. */
function drawBar(sizes: readonly number[], memory: number): string {
  let sum = 0;
  let bar = '';
  for (const [i, mark] of [marks.weights, marks.caches, marks.working].entries()) {
    sum += sizes[i] ?? 0;
    bar += mark.repeat(Math.max(0, Math.min(barLength, Math.round((sum / memory) * barLength)) - bar.length));
  }
  return bar.padEnd(barLength, marks.free);
}

const cacheNames: Readonly<Record<CacheFit['kind'], string>> = {
  kv: 'keys and values',
  latent: 'latent rows',
  window: 'window of the last rows',
  compressed: 'compressed rows',
  index: 'index keys',
  open: 'rows of an open entry',
  state: 'recurrent state',
};

function describeCache({ kind, every, layerCount, tokenSize, sequenceSize, size }: CacheFit): string[] {
  const name = `${cacheNames[kind]}${every === undefined || every === 1 ? '' : `, one for ${every} tokens`}`;
  return [name, String(layerCount), tokenSize === 0 ? '-' : formatBytes(tokenSize), sequenceSize === 0 ? '-' : formatBytes(sequenceSize), formatBytes(size)];
}

function formatVerdict(plan: StagePlan, style: Style): string[] {
  const { fits, overBinding, fewestDevices, largestContext, mostSequences, maxSequences, contextLength, predictionSize, caches } = plan;
  const why = overBinding === undefined ? '' : ` (the largest cache of a layer takes ${formatBytes(overBinding)}, more than one binding of 4 GiB)`;
  const enough =
    fewestDevices === undefined ? 'no number of such devices is enough' : `${fewestDevices} such ${countWord(fewestDevices, 'device')} would be enough`;
  return [
    `${fits ? style.good('It fits') : style.bad(`It does not fit${why}`)}; ${enough} for what was asked.`,
    `Longest context of ${maxSequences} ${countWord(maxSequences, 'sequence')}: ${largestContext}. Most sequences of ${contextLength} tokens: ${mostSequences}.`,
    ...(predictionSize > 0 ? [`Not in the plan: ${formatBytes(predictionSize)} of layers that guess tokens ahead.`] : []),
    ...(caches.length === 0 ? ['The model keeps nothing of a token.'] : []),
  ];
}

function formatFloors({ floors, device, streamSize, count }: StagePlan, style: Style): string[] {
  const handed = count === 1 ? '' : `, handing ${formatBytes(streamSize)} a token on to the next device`;
  const isFetched = floors.some(({ fetchedSize = 0 }) => fetchedSize > 0);
  const rows = floors.map(({ sequences, stepSize, fetchedSize = 0, tokenMs, tokensPerSecond }: DecodeFloor) => [
    String(sequences),
    formatBytes(stepSize),
    ...(isFetched ? [formatBytes(fetchedSize)] : []),
    tokenMs === undefined ? 'no bandwidth known' : `${tokenMs.toFixed(2)} ms`,
    tokensPerSecond === undefined ? '-' : String(Math.floor(tokensPerSecond)),
  ]);
  return [
    formatTable(
      ['sequences', 'read for a token of each', ...(isFetched ? ['brought from files first'] : []), 'at least', 'tokens a second at most, together'],
      rows,
      style,
    ),
    `These are floors${device.bandwidth === undefined ? '' : ', bytes over published bandwidth'}: every sequence at the end of its context, choices of experts spread evenly.`,
    `Computing${handed}${isFetched ? ', bringing experts' : ''} and all else comes on top.`,
  ];
}

function countWord(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}
