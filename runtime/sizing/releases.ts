/**
 * Owns the names of published models that can be planned without their files: shapes of families, and config.json as their publishers have
 * it (models/releases). Refuses weights.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { KvFormat } from '../types.ts';
import { billDeepseekV4, deepseekV4Shapes } from './deepseek-v4.ts';
import { billGlm, glmShapes } from './glm-moe-dsa.ts';
import type { ModelBill } from './types.ts';

const folder = join(import.meta.dirname, '../../models/releases');
const numberSizes: Readonly<Record<KvFormat, number>> = { f16: 2, f32: 4, q8: 1 };

/** Shapes with every tensor of the release and every kind of cache, by name. */
const bills: ReadonlyMap<string, (numberSize: number, foresees: boolean) => ModelBill> = new Map([
  ...deepseekV4Shapes.map((shape) => [shape.name.toLowerCase(), (size: number, foresees: boolean) => billDeepseekV4(shape, size, foresees)] as const),
  ...glmShapes.map((shape) => [shape.name.toLowerCase(), (size: number) => billGlm(shape, size)] as const),
]);

/** A published model. */
export interface Release {
  readonly name: string;
  /** Path of its config.json; undefined: its shape is known without one, for devices that are not here. */
  readonly configPath?: string;
}

/** By name. */
export function listReleases(): Release[] {
  const names = readdirSync(folder).flatMap((file) => (file.endsWith('.json') ? [file.replace(/\.json$/, '')] : []));
  const configs = names.filter((name) => !bills.has(name)).map((name) => ({ name, configPath: configOf(name) }));
  const releases: Release[] = [...Array.from(bills.keys(), (name) => ({ name })), ...configs];
  return releases.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The bill of a published shape; undefined: there is none of this name. `foresees`: with the block for multi-token prediction, of those whose family the engine has with it. */
export function findBill(name: string, kv: KvFormat, foresees = false): ModelBill | undefined {
  return bills.get(name)?.(numberSizes[kv], foresees);
}

/** Path of the config.json of such a shape, whatever it is stored in; undefined: it is not here. */
export function findConfig(name: string): string | undefined {
  const path = configOf(name.replace(/-fp8$/, ''));
  return existsSync(path) ? path : undefined;
}

function configOf(name: string): string {
  return join(folder, `${name}.json`);
}
