/**
 * Owns how a report of `inward doctor` looks to people.
 */
import { formatBytes, type Layer, type Requirement } from '../../../runtime/index.ts';
import { describeReason } from '../../layers.ts';
import { formatCount } from '../../panel.ts';
import type { Style } from '../style.ts';
import type { DeviceState, DoctorReport, Fit, InspectedModel, SizedModel } from './report.ts';

export function formatReport(report: DoctorReport, style: Style): string {
  const chosen = report.devices.find(({ state }) => state === 'chosen');
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ['System', formatSystem(report.system)],
    ['Devices, in the order of --device auto', report.devices.flatMap((device) => formatDevice(device, style))],
    [`Needed of an adapter, and found (${chosen?.name ?? 'no device works'})`, formatAdapter(chosen, style)],
    ['Model that a server would load', formatModel(report.model)],
    ['Kernels that it would run, by shape of the matrix (inward tune --explain says why)', formatTuning(report)],
    [describeSizes(report), formatSizes(report.sized, style)],
    ['Layers around our processes', report.layers.map((layer) => formatLayer(layer, style))],
    ['Cache', formatCache(report.cache)],
    ['Missing', report.missing.map(({ what, remedy }) => `${style.bad(what)} ${remedy}`)],
  ];
  const verdict = report.canStart ? style.good('A server could start now.') : style.bad('A server could not start now; see what is missing.');
  const body = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [style.bold(title), ...lines.map((line) => (line === '' ? '' : `  ${line}`)), ''].join('\n'));
  return `${body.join('\n')}\n${verdict}\n`;
}

function formatSystem({ platform, architecture, node, nodeNeeded, processor, cores, memoryFree, memoryTotal, problem }: DoctorReport['system']): string[] {
  return [
    `system     ${platform} ${architecture}${problem === undefined ? '' : `: ${problem}`}`,
    `Node       ${node} (needed: ${nodeNeeded} or newer)`,
    `processor  ${processor}, ${cores} cores usable`,
    `memory     ${formatBytes(memoryFree)} free of ${formatBytes(memoryTotal)}`,
  ];
}

function formatDevice({ name, state, reason, facts }: DeviceState, style: Style): string[] {
  const paint = { chosen: style.good, works: style.good, unfit: style.bad, missing: style.dim }[state];
  return [`${name.padEnd(12)}${paint(state.padEnd(8))}  ${reason}`, ...(facts === undefined ? [] : [style.dim(`${' '.repeat(12)}${facts.adapter}`)])];
}

function formatAdapter(device: DeviceState | undefined, style: Style): string[] {
  if (device?.facts === undefined) return [];
  const { requirements, hasF16, bufferLimit, memoryLimit } = device.facts;
  const number = (name: string, value: Requirement['found']): string => (name.startsWith('bytes') ? formatBytes(Number(value)) : String(value));
  const rows = requirements.map(({ name, needed, found, isMet }) => {
    const line = `${name.padEnd(30)}${number(name, needed).padEnd(38)}${number(name, found)}`;
    return isMet ? line : style.bad(line);
  });
  const extra = (name: string, value: string): string => `${name.padEnd(30)}${'(not needed)'.padEnd(38)}${value}`;
  return [
    ...rows,
    extra('f16 arithmetic', hasF16 ? 'there' : 'none'),
    extra('bytes of a buffer', formatBytes(bufferLimit)),
    `${'free memory'.padEnd(30)}${'(see below)'.padEnd(38)}${memoryLimit === undefined ? 'the device does not say' : formatBytes(memoryLimit)}`,
  ];
}

const fitWords: Readonly<Record<Fit, string>> = { yes: 'fits', 'no: memory': 'does not fit', 'no: binding': 'does not fit', unknown: 'fit unknown' };

function formatModel(model: InspectedModel | undefined): string[] {
  if (model === undefined) return [];
  const { path, plan, hasChatTemplate } = model;
  if (plan === undefined) return [path];
  const { family, parameterCount, modelContextLength, weightSize, kvSize, scratchSize, kvTokens, kv, maxSequences, contextLength, fits } = plan;
  return [
    path,
    `family ${family}, ${formatCount(parameterCount)} parameters, trained for ${modelContextLength} tokens${hasChatTemplate === undefined ? '' : hasChatTemplate ? ', has a chat template' : ', has no chat template'}`,
    `weights ${formatBytes(weightSize)} + KV cache ${formatBytes(kvSize)} (${kvTokens} tokens in ${kv}) + working memory ${formatBytes(scratchSize)} = ${formatBytes(weightSize + kvSize + scratchSize)}: ${fitWords[fits]}`,
    `up to ${maxSequences} sequences of up to ${contextLength} tokens share that KV cache; each with a full context: --kv-tokens ${maxSequences * contextLength}`,
  ];
}

function formatTuning({ tuning }: DoctorReport): string[] {
  if (tuning === undefined) return [];
  const width = Math.max(...tuning.shapes.map(({ shape }) => shape.length));
  const rows = tuning.shapes.map(({ shape, chosen, isMeasured }) => `${shape.padEnd(width)}  ${chosen.join(' ')}  ${isMeasured ? 'measured' : 'built in'}`);
  const order = tuning.isDeterministic ? 'deterministic: all tiles of a shape add in one order' : 'not deterministic';
  return [...(tuning.notice === undefined ? [] : [tuning.notice]), ...rows, order];
}

function describeSizes({ sizedFor: { sequences, contextLength, kvTokens }, devices }: DoctorReport): string {
  const free = devices.find(({ state }) => state === 'chosen')?.facts?.memoryLimit;
  const room = free === undefined ? '' : `; ${formatBytes(free)} are free`;
  return `What would fit: weights + KV cache of ${kvTokens} tokens (${sequences} sequences, context ${contextLength})${room}`;
}

function formatLayer({ name, state, reason }: Layer, style: Style): string {
  const paint = state === 'held' ? style.good : style.bad;
  return `${name.padEnd(14)}${paint(state.padEnd(15))}${describeReason({ name, state, reason })}`;
}

const marks: Readonly<Record<Fit, string>> = { yes: ' ', 'no: memory': 'x', 'no: binding': 'b', unknown: '?' };
const legend: Readonly<Partial<Record<Fit, string>>> = {
  'no: memory': 'x: more than is free',
  'no: binding': 'b: the KV cache of a layer is more than a binding holds; lower --context, --max-sequences or --kv-tokens',
  unknown: '?: how much memory the device has free is not known',
};

function formatSizes(models: readonly SizedModel[], style: Style): string[] {
  const head = `${''.padEnd(16)}${(models[0]?.sizes ?? []).map(({ storage }) => storage.padStart(12)).join('')}`;
  const rows = models.map(({ name, sizes }) => {
    const cells = sizes.map(({ weightSize, kvSize, fits }) => {
      const cell = `${formatBytes(weightSize + kvSize)} ${marks[fits]}`.padStart(12);
      return fits.startsWith('no') ? style.bad(cell) : cell;
    });
    return `${name.padEnd(16)}${cells.join('')}`;
  });
  const fits = new Set(models.flatMap(({ sizes }) => sizes.map((size) => size.fits)));
  return [head, ...rows, ...[...fits].flatMap((fit) => legend[fit] ?? [])];
}

function formatCache({ folder, models, devices }: DoctorReport['cache']): string[] {
  const rows = [...models.map((entry) => ({ kind: 'models', ...entry })), ...devices.map((entry) => ({ kind: 'devices', ...entry }))];
  return [folder, ...rows.map(({ kind, name, size }) => `${kind}/${name}  ${formatBytes(size)}`)];
}
