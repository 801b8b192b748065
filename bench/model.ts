/** Owns which model is measured: an imported one by its name, one by its path, or the default one, fetched where it is missing. */
import { ensureDefaultModel } from '../scripts/setup/index.ts';
import { resolveModel } from '../server/cli/model/shelf.ts';

/** Its path. Throws default_model_missing. */
export async function findModel(model: string | undefined): Promise<string> {
  return model === undefined ? ensureDefaultModel() : resolveModel(model, {}, { folder: process.cwd(), environment: process.env });
}
