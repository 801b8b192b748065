/**
 * Owns `inward doctor`: looks at this machine and says whether a server could start, what would fit, what is missing.
 * Refuses to fetch, install or change anything.
 */
import { Command } from 'commander';
import { type AdapterFacts, engineNumbers, estimateModel, InwardError, planModel, readTuning, type Tuning } from '../../runtime/index.ts';
import { engineSettings } from '../config/table.ts';
import { type Settings, toEngineOptions, toTextOptions } from '../config.ts';
import type { World } from '../world.ts';
import { formatReport } from './doctor/format.ts';
import { type DeviceState, type DoctorReport, type InspectedModel, judgeDevices, judgeFit, listMissing, type SizedModel } from './doctor/report.ts';
import { knownModels } from './doctor/shapes.ts';
import { resolveModel } from './model/shelf.ts';
import { addSettings, type Flags, readSettings } from './options.ts';
import { createStyle } from './style.ts';

export function createDoctorCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('doctor')
    .description('Say whether a server could start here: devices, memory, what would fit, what is missing and how to get it.')
    .option('--json', 'print the report as JSON');
  return addSettings(command, [...engineSettings, 'maxSequences'])
    .addHelpText(
      'after',
      `
Exit code 0 if a server could start now, without fetching anything; 1 if not.

Examples:
  inward doctor
  inward doctor --model ./model.gguf --context 8192 --max-sequences 4`,
    )
    .action(async (flags: Flags) => onExit(await runDoctor(flags, world)));
}

async function runDoctor(flags: Flags, world: World): Promise<number> {
  const report = await examine(readSettings(flags, world), world);
  world.out.write(flags['json'] === true ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report, createStyle(world.out, world.environment)));
  return report.canStart ? 0 : 1;
}

async function examine(settings: Settings, world: World): Promise<DoctorReport> {
  const inspection = await world.inspectMachine();
  const devices = judgeDevices(inspection, settings.device);
  const facts = devices.find(({ state }) => state === 'chosen')?.facts;
  const { path, isThere } = inspection.defaultModel;
  const modelPath = settings.model === undefined ? (isThere ? path : undefined) : resolveModel(settings.model, settings, world);
  const model = modelPath === undefined ? undefined : await examineModel(settings, modelPath, facts, world);
  const tuning = model?.plan === undefined ? undefined : await examineTuning(settings, model.path, devices);
  const missing = listMissing(inspection, devices, settings.device, model);
  const contextLength = settings.context ?? engineNumbers.contextLength.standard;
  const kvTokens = settings.kvTokens ?? contextLength * settings.maxSequences;
  return {
    canStart: missing.length === 0,
    system: inspection.system,
    devices,
    ...(model === undefined ? {} : { model }),
    ...(tuning === undefined ? {} : { tuning }),
    sizedFor: { sequences: settings.maxSequences, contextLength, kvTokens },
    sized: await sizeModels({ ...settings, kvTokens }, facts),
    layers: await world.examineLayers(),
    cache: inspection.cache,
    missing,
  };
}

/** From the header of the file and its tokenizer, as a server would read them. */
async function examineModel(settings: Settings, path: string, facts: AdapterFacts | undefined, world: World): Promise<InspectedModel> {
  try {
    const plan = await planModel(toEngineOptions(settings, path));
    const sized = { ...plan, fits: judgeFit(plan, facts) };
    try {
      await using text = await world.openText(toTextOptions(settings, path));
      return { path, plan: sized, hasChatTemplate: text.info.hasChatTemplate };
    } catch (error) {
      return { path, plan: sized, refusal: explain(error) };
    }
  } catch (error) {
    return { path, refusal: explain(error) };
  }
}

/** What an engine would run, as far as the device has measured it. */
async function examineTuning(settings: Settings, path: string, devices: readonly DeviceState[]): Promise<Tuning | undefined> {
  const device = devices.find(({ state }) => state === 'chosen');
  if (device?.facts === undefined) return undefined;
  return readTuning(toEngineOptions(settings, path), { ...device.facts, name: device.name });
}

function explain(error: unknown): string {
  if (error instanceof InwardError) return error.message;
  throw error;
}

async function sizeModels(settings: Settings, facts: AdapterFacts | undefined): Promise<SizedModel[]> {
  const options = toEngineOptions(settings, '');
  return Promise.all(
    knownModels.map(async ({ name, ...shape }) => {
      const estimates = await estimateModel(shape, options);
      return { name, sizes: estimates.map((estimate) => ({ ...estimate, fits: judgeFit(estimate, facts) })) };
    }),
  );
}
