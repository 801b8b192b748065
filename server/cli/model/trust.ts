/**
 * Owns the check before a model is loaded: where the settings say so, its files are what its list of sums says, and the list is the pinned
 * one. Refuses a model that has no list then.
 */
import type { Settings } from '../../config.ts';
import type { WeightFile } from '../../privacy/deployment/manifest.ts';
import { compareSums } from '../../privacy/deployment/sums.ts';
import { SiteError } from '../../privacy/errors.ts';
import type { World } from '../../world.ts';
import { createBar } from '../progress.ts';

/** `known`: hashes that were just made for the deployment manifest. Throws SiteError, with a line for each difference. */
export async function demandSums(
  { verify, modelSums: pin }: Pick<Settings, 'verify' | 'modelSums'>,
  modelPath: string,
  { err }: Pick<World, 'err'>,
  known: readonly WeightFile[] = [],
): Promise<void> {
  if (!verify && pin === undefined) return;
  const draw = createBar(err);
  const { differences } = await compareSums(modelPath, { pin, known, onProgress: (done, total) => draw('Hashing the model', done, total) });
  if (differences.length > 0) throw new SiteError(differences.join('\n'));
}
