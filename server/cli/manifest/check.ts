/**
 * Owns `inward manifest check`: says now what a start would say.
 */
import { Command } from 'commander';
import { checkDeployment, type Deployment } from '../../privacy/deployment/deployment.ts';
import type { World } from '../../world.ts';
import { formatExamples } from '../group.ts';
import { addSettings, type Flags, readSettings } from '../options.ts';
import { addSiteOptions, openSite } from '../site.ts';
import { findTarget } from './common.ts';

interface CheckFlags extends Flags {
  readonly model?: string;
  readonly json?: true;
}

export function createManifestCheckCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('check')
    .description('Compare the manifest in force with what is here now: one line for each difference. Exit code 1 if there is one.')
    .option('--json', 'print manifest, differences and neighbours on the GPU as JSON');
  return addSiteOptions(addSettings(command, ['model', 'device', 'sharedGpu', 'swap']))
    .addHelpText('after', formatExamples(['inward manifest check', 'inward manifest check --model ./model.gguf --device gpu']))
    .action(async (flags: CheckFlags) => onExit(await runCheck(flags, world)));
}

async function runCheck(flags: CheckFlags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'status.read');
  const target = await findTarget(flags, flags.model, world);
  const { sharedGpu, swap } = readSettings(flags, world);
  const deployment = await checkDeployment({ ...target, snapshot: site.snapshot, sharedGpu, swap });
  world.out.write(flags.json === true ? `${JSON.stringify(deployment, undefined, 2)}\n` : formatDeployment(deployment, target.deviceName === 'gpu'));
  return deployment.differences.length === 0 ? 0 : 1;
}

function formatDeployment({ manifest, hash, differences, neighbours }: Deployment, isGpu: boolean): string {
  const { compute, holders, unseen } = neighbours;
  const verdict = differences.length === 0 ? [`The manifest ${manifest.id} (SHA-256 ${hash}) fits.`] : differences;
  const others = `Other processes on the GPU: ${compute} compute, ${holders} hold it open, ${unseen} cannot be seen by this user.`;
  return [...verdict, ...(isGpu ? [others] : []), ''].join('\n');
}
