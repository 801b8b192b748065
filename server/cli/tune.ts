/**
 * Owns `inward tune`: measures which kernels are fastest for a model on a device, or shows what was measured. Refuses to
 * touch what a running server has chosen: that is fixed until its next start.
 */
import { Command, Option } from 'commander';
import { InwardError, readTuning, type Tuning } from '../../runtime/index.ts';
import type { SettingName } from '../config/table.ts';
import { type Settings, toEngineOptions } from '../config.ts';
import type { World } from '../world.ts';
import { judgeDevices } from './doctor/report.ts';
import { resolveModel } from './model/shelf.ts';
import { demandSums } from './model/trust.ts';
import { addSettings, type Flags, prepareEngine, readSettings } from './options.ts';
import { openEngine } from './progress.ts';
import { createStyle } from './style.ts';
import { formatTuning } from './tune/table.ts';

/** What the shapes of a model depend on besides its file. */
const settingsOfShapes: readonly SettingName[] = ['device', 'kv', 'activations', 'deterministic'];

export function createTuneCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('tune')
    .description('Measure which kernels are fastest for a model on this device, and keep that for every later start.')
    .argument('[model]', 'GGUF file, folder of safetensors files, or name of an imported model; the one that a server would load if left out')
    .option('--explain', 'show what is kept and why each was chosen, without measuring')
    .addOption(new Option('--force', 'measure everything anew').conflicts('explain'))
    .option('--json', 'print the measurements as JSON');
  return addSettings(command, settingsOfShapes)
    .addHelpText('after', '\nExamples:\n  inward tune\n  inward tune ./model.gguf --device lavapipe --force\n  inward tune --explain')
    .action(async (model: string | undefined, flags: Flags) => onExit(await runTune(model, flags, world)));
}

async function runTune(model: string | undefined, flags: Flags, world: World): Promise<number> {
  const given = readSettings(flags, world);
  const settings = model === undefined ? given : { ...given, model };
  const tuning = flags['explain'] === true ? await explain(settings, world) : await measure(settings, flags['force'] === true, world);
  world.out.write(flags['json'] === true ? `${JSON.stringify(tuning, undefined, 2)}\n` : formatTuning(tuning, createStyle(world.out, world.environment)));
  return 0;
}

async function measure(settings: Settings, isForced: boolean, world: World): Promise<Tuning> {
  const { engine: options } = await prepareEngine(settings, world);
  await demandSums(settings, options.modelPath, world);
  await using engine = await openEngine({ ...options, tune: isForced ? 'anew' : 'complete' }, world);
  return engine.info.tuning;
}

/** Looks at the header of the model and at the device's name only; fetches nothing. */
async function explain(settings: Settings, world: World): Promise<Tuning> {
  const inspection = await world.inspectMachine();
  const device = judgeDevices(inspection, settings.device).find(({ state }) => state === 'chosen');
  if (device?.facts === undefined) {
    const available = inspection.drivers.map(({ name }) => name).join(', ') || 'none';
    throw new InwardError('device_missing', { wanted: settings.device, available });
  }
  const modelPath = settings.model === undefined ? inspection.defaultModel.path : resolveModel(settings.model, settings, world);
  const tuning = await readTuning(toEngineOptions(settings, modelPath), { ...device.facts, name: device.name });
  if (tuning.notice !== undefined) world.err.write(`${tuning.notice}\n`);
  return tuning;
}
