/**
 * Owns the names of published models that can be planned without their files: shapes of families, and config.json as their publishers have
 * it (models/releases). Refuses weights.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { KvFormat } from '../types.ts';
import { billDeepseekV4, deepseekV4Shapes } from './deepseek-v4.ts';
import { billGlm, glmShapes } from './glm-moe-dsa.ts';
import type { ModelBill } from './types.ts';

const folder = join(import.meta.dirname, '../../models/releases');
const numberSizes: Readonly<Record<KvFormat, number>> = { f16: 2, f32: 4, q8: 1 };

/** Of families that have no forward pass here yet, by name. */
const bills: ReadonlyMap<string, (numberSize: number) => ModelBill> = new Map([
  ...deepseekV4Shapes.map((shape) => [shape.name.toLowerCase(), (size: number) => billDeepseekV4(shape, size)] as const),
  ...glmShapes.map((shape) => [shape.name.toLowerCase(), (size: number) => billGlm(shape, size)] as const),
]);

/** A published model. */
export interface Release {
  readonly name: string;
  /** Path of its config.json; undefined: the engine has no such family yet, and can only say its sizes on a device that is not here. */
  readonly configPath?: string;
}

/** By name. */
export function listReleases(): Release[] {
  const configs = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const releases: Release[] = [
    ...Array.from(bills.keys(), (name) => ({ name })),
    ...configs.map((file) => ({ name: file.replace(/\.json$/, ''), configPath: join(folder, file) })),
  ];
  return releases.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The bill of a published shape; undefined: there is none of this name. */
export function findBill(name: string, kv: KvFormat): ModelBill | undefined {
  return bills.get(name)?.(numberSizes[kv]);
}
