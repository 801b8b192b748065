/**
 * Owns `inward fit`: what a model needs and how far it goes, before anything is loaded or fetched. From a GGUF file, a checkpoint folder, or
 * a config.json alone. Refuses to open a device: it takes the present one's size, or one that is named.
 */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { type Accelerator, accelerators, deviceNames, fitModel, fitStages, formatBytes, listReleases, type ModelFit } from '../../runtime/index.ts';
import { byteSize } from '../config/kinds.ts';
import { type SettingName, settingTable } from '../config/table.ts';
import { type Settings, toEngineOptions } from '../config.ts';
import { formatCount } from '../panel.ts';
import { SiteError } from '../privacy/errors.ts';
import type { World } from '../world.ts';
import { judgeDevices } from './doctor/report.ts';
import { formatStages } from './fit/stages.ts';
import { resolveModel } from './model/shelf.ts';
import { addSettings, type Flags, integer, parser, readSettings, UsageError } from './options.ts';
import { createStyle, type Style } from './style.ts';
import { formatTable } from './table.ts';

const settings: readonly SettingName[] = ['context', 'maxSequences', 'kvTokens', 'tokenBudget', 'kv', 'activations', 'expertMemory', 'draft'];

const published = accelerators.map(({ name }) => name);

/** Where the memory is that a model is to fit into; `memory` undefined: the device does not say. */
interface Room {
  readonly name: string;
  readonly memory: number | undefined;
  readonly binding: number;
}

export function createFitCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('fit')
    .description('Say what a model needs (weights, KV cache, working memory), and the longest context that fits; reads headers only.')
    .argument(
      '<model>',
      'GGUF file, checkpoint folder, name of an imported model, the config.json of a model that is not here yet, or the name of a published one',
    )
    .addOption(
      new Option('--device <name>', `${settingTable.device.help}; or a device that is not here, by what its maker publishes`).choices([
        'auto',
        ...deviceNames,
        ...published,
      ]),
    )
    .addOption(new Option('--memory <size>', 'size it for so much memory instead of the present device, as 80GiB').argParser(parser(byteSize)))
    .addOption(new Option('--count <devices>', 'split its layers over so many such devices').argParser(integer(1, 1024)))
    .addOption(new Option('--sequences <count>', 'the same as --max-sequences').argParser(parser(settingTable.maxSequences)).conflicts('maxSequences'))
    .option('--json', 'print the sizes as JSON, in bytes');
  return addSettings(command, settings)
    .addHelpText(
      'after',
      `
Without --context: the standard one of a server. The KV cache is sized for every sequence with a whole context, unless --kv-tokens says less.
With a device that is not here, or --count, the plan says what each device gets, and the least time that a token takes: computed, not measured.
Exit code 0 if it fits (of several storages: one of them), 1 if not or if that is not known.

Published models: ${listReleases()
        .map(({ name }) => name)
        .join(', ')}.

Examples:
  inward fit ./model.gguf --context 32768 --max-sequences 8
  inward fit ./Llama-3.1-8B-Instruct --memory 24GiB
  inward fit ./config.json --memory 80GiB --kv q8
  inward fit deepseek-v4-flash --device h100-80g --count 4 --context 131072 --sequences 16`,
    )
    .action(async (model: string, flags: Flags) => onExit(await runFit(model, flags, world)));
}

async function runFit(model: string, { device, sequences, ...flags }: Flags, world: World): Promise<number> {
  const { memory, count, json } = flags as { memory?: number; count?: number; json?: true };
  const accelerator = accelerators.find(({ name }) => name === device);
  const own = { ...flags, ...(sequences !== undefined && { maxSequences: sequences }), ...(accelerator === undefined && device !== undefined && { device }) };
  const given = readSettings(own, world);
  const place = findModel(resolveModel(model, given, world));
  const print = (report: unknown, text: (style: Style) => string): void => {
    world.out.write(json === true ? `${JSON.stringify(report, undefined, 2)}\n` : text(createStyle(world.out, world.environment)));
  };
  if (accelerator !== undefined || count !== undefined || !place.isFile) {
    const elsewhere = accelerator ?? deviceOf(memory, place);
    if (accelerator !== undefined && memory !== undefined) throw new UsageError(`--device ${accelerator.name} has a memory of its own; leave --memory out.`);
    const plan = await fitStages(place.path, toEngineOptions(given, place.path), elsewhere, count ?? 1);
    print(plan, (style) => formatStages(plan, style));
    return plan.fits ? 0 : 1;
  }
  const room = await findRoom(memory, given, world);
  const fits = await fitModel(place.path, toEngineOptions(given, place.path), { memory: room.memory ?? Number.POSITIVE_INFINITY, binding: room.binding });
  const report = fits.map((fit) => ({ ...fit, totalSize: totalOf(fit), fits: judge(fit, room) }));
  print({ room, fits: report }, (style) => format(fits, room, style));
  return report.some(({ fits: isFit }) => isFit === true) ? 0 : 1;
}

interface Place {
  readonly path: string;
  /** There is something to read: not the shape alone. */
  readonly isFile: boolean;
}

/** A file goes before a published model of the same name. */
function findModel(path: string): Place {
  if (existsSync(path)) return { path, isFile: true };
  const releases = listReleases();
  const release = releases.find(({ name }) => name === path);
  if (release !== undefined) return { path: release.configPath ?? release.name, isFile: release.configPath !== undefined };
  const names = releases.map(({ name }) => name).join(', ');
  throw new SiteError(
    `There is no readable file at ${path}. Give the path of a GGUF file, of a checkpoint folder or of a config.json, the name of an imported model, or one of the published ones: ${names}.`,
  );
}

function deviceOf(memory: number | undefined, { path, isFile }: Place): Accelerator {
  const what = isFile ? '--count' : `the shape of ${path}`;
  if (memory === undefined)
    throw new UsageError(`A plan for ${what} needs a device that is not here: --device with one of ${published.join(', ')}, or --memory with a size.`);
  return { name: 'memory', label: `a device with ${formatBytes(memory)}`, memory };
}

async function findRoom(memory: number | undefined, { device }: Settings, world: World): Promise<Room> {
  // No limit of a binding is known of a device that is not here: pools of one layer beyond 4 GiB are not promised anywhere.
  if (memory !== undefined) return { name: `a device with ${formatBytes(memory)}`, memory, binding: 2 ** 32 };
  const chosen = judgeDevices(await world.inspectMachine(), device).find(({ state }) => state === 'chosen');
  if (chosen?.facts === undefined) return { name: 'no device', memory: undefined, binding: Number.POSITIVE_INFINITY };
  const { memoryLimit, bindingLimit } = chosen.facts;
  return { name: `${chosen.name}${memoryLimit === undefined ? '' : `, ${formatBytes(memoryLimit)} free`}`, memory: memoryLimit, binding: bindingLimit };
}

function totalOf({ weightSize, kvSize, stateSize, scratchSize }: ModelFit): number {
  return weightSize + kvSize + stateSize + scratchSize;
}

/** undefined: not known. */
function judge(fit: ModelFit, { memory, binding }: Room): boolean | undefined {
  if (Math.max(fit.kvLayerSize, fit.stateLayerSize) > binding) return false;
  return memory === undefined ? undefined : totalOf(fit) <= memory;
}

function format(fits: readonly ModelFit[], room: Room, style: Style): string {
  const [first] = fits;
  if (first === undefined) return '';
  const { family, name, parameterCount, modelContextLength, contextLength, maxSequences, tokenBudget, kvTokens, kv, kvTokenSize, encoder } = first;
  const what = encoder === undefined ? '' : `an encoder (${encoder.pooling} of the rows of a text), `;
  const keys = `${kvTokens} tokens of KV cache in ${kv}, ${formatBytes(kvTokenSize)} each`;
  const [one, several] = encoder === undefined ? ['sequence', 'sequences'] : ['text', 'texts'];
  const head = [
    style.bold(`${name === '' ? family : `${name} (${family})`}, ${formatCount(parameterCount)} parameters, ${what}trained for ${modelContextLength} tokens`),
    `for ${room.name}: ${maxSequences} ${maxSequences === 1 ? one : several} of up to ${contextLength} tokens${encoder === undefined ? '' : ` in a step of ${tokenBudget}`}, ${keys}`,
    '',
  ];
  const rows = fits.map((fit) => [
    ...(fit.storage === undefined ? [] : [fit.storage]),
    formatBytes(fit.weightSize),
    formatBytes(fit.kvSize),
    ...(fit.stateSize > 0 ? [formatBytes(fit.stateSize)] : []),
    formatBytes(fit.scratchSize),
    formatBytes(totalOf(fit)),
    verdict(fit, room),
    room.memory === undefined ? 'name --memory' : String(fit.largestContext),
  ]);
  const headings = [
    ...(first.storage === undefined ? [] : ['all in']),
    'weights',
    'KV cache',
    ...(first.stateSize > 0 ? ['state'] : []),
    'working',
    'together',
    'verdict',
    `longest context of ${maxSequences}`,
  ];
  return `${head.join('\n')}${formatTable(headings, rows, style)}`;
}

function verdict(fit: ModelFit, room: Room): string {
  if (fit.kvLayerSize > room.binding) return `no: the KV cache of a layer takes ${formatBytes(fit.kvLayerSize)}, a binding ${formatBytes(room.binding)}`;
  if (fit.stateLayerSize > room.binding)
    return `no: the recurrent state of a layer takes ${formatBytes(fit.stateLayerSize)}, a binding ${formatBytes(room.binding)}`;
  const isFit = judge(fit, room);
  if (isFit === undefined) return 'not known';
  return isFit ? 'fits' : `no: ${formatBytes(totalOf(fit) - (room.memory ?? 0))} too much`;
}
