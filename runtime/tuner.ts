/**
 * Owns the choice of kernels by measurement: looks up what this device has measured with these kernels, times the shapes that are
 * missing, keeps the winners. All of it happens while the engine opens; from then on the choice is fixed. Refuses to change what is
 * computed: every tile gives the same sums (kernels/tiles.ts).
 */
import { availableParallelism, cpus } from 'node:os';
import { hashKernels } from '../kernels/compose.ts';
import { candidateTiles, type MatmulWork, standardTiles, type Tile, tileFacts, tileName, workName } from '../kernels/tiles.ts';
import type { Graph, GraphMatmul } from '../models/index.ts';
import type { BatchLimits } from './scheduling/batch.ts';
import { chooseTiles, leastGain, manyTokens, type TilePlan } from './tuning/choose.ts';
import { readTuningFile, type StoredShape, type StoredShapes, type TuningKey, tuningFile, writeTuningFile } from './tuning/file.ts';
import { measureShapes, type ShapePlan } from './tuning/measure.ts';
import { DeviceTimer, type TimerTarget } from './tuning/timer.ts';
import type { TunedDevice, TunedShape, TuneMode, Tuning } from './types.ts';

/** Milliseconds that a start may spend on it, beyond the compiling of the built-in tiles. */
const quickBudget = 4_000;

/** A shape that the model multiplies by, with what is known of it. */
interface Shape extends ShapePlan {
  readonly name: string;
  readonly matmuls: readonly GraphMatmul[];
}

/** Keeps measured shapes for the next start; gives one sentence when it cannot. */
export type KeepTuning = (path: string, key: TuningKey, shapes: StoredShapes) => string | undefined;

/** Whose times count. The processor too: a software device is as fast as that. */
export function tuningKey({ name, adapter, subgroupSize }: TunedDevice): TuningKey {
  const device = [name, adapter, `${subgroupSize} lanes`, `${cpus()[0]?.model ?? 'a processor'} x ${availableParallelism()}`].join('; ');
  return { device, kernels: hashKernels() };
}

/** What the file says about these matmuls. Measures nothing. */
export function readTuning(works: readonly MatmulWork[], device: TunedDevice, isDeterministic: boolean, path: string = tuningFile()): Tuning {
  const { shapes: stored, notice } = readTuningFile(path, tuningKey(device));
  const plans = new Map(works.map((work) => [workName(work), planOf(work, device)]));
  const shapes = [...plans].map(([name, plan]) => describe(name, plan, find(stored, name, plan)));
  return {
    source: shapes.some(({ isMeasured }) => isMeasured) ? 'stored' : 'built-in',
    isDeterministic,
    ms: 0,
    file: path,
    shapes,
    ...(notice === undefined ? {} : { notice }),
  };
}

export interface TunerOptions {
  readonly mode: TuneMode;
  /** Said with the choice; the family of the device goes by it. */
  readonly isDeterministic: boolean;
  readonly device: TunedDevice;
  readonly path?: string | undefined;
  /** By default, in the file at `path`. */
  readonly keep?: KeepTuning | undefined;
  readonly onProgress: (done: number, total: number) => void;
}

/** Gives every matmul of the graph its tiles, before anything of it is compiled. */
export async function tuneGraph(graph: Graph, target: TimerTarget, options: TunerOptions): Promise<Tuning> {
  const started = performance.now();
  const { mode, isDeterministic, device, path = tuningFile(), keep = writeTuningFile } = options;
  const shapes = listShapes(graph, device);
  if (mode === 'off') return { source: 'built-in', isDeterministic, ms: 0, shapes: shapes.map((shape) => describe(shape.name, shape, undefined)) };
  const key = tuningKey(device);
  const { shapes: stored, notice: ignored } = readTuningFile(path, key);
  const known = new Map(shapes.map((shape) => [shape.name, mode === 'anew' ? undefined : find(stored, shape.name, shape)]));
  const missing = shapes.filter((shape) => {
    const found = known.get(shape.name);
    return found === undefined || (mode === 'complete' && !isComplete(shape, found, mostTokensOf(target.batch.limits, [shape])));
  });
  const { measured, failed } = missing.length === 0 ? { measured: {}, failed: 0 } : await measure(missing, target, options);
  for (const [name, shape] of Object.entries(measured)) known.set(name, shape);
  const unwritten = missing.length === 0 ? undefined : keep(path, key, measured);
  const described = shapes.map((shape) => describe(shape.name, shape, known.get(shape.name)));
  const chosen = new Map(shapes.map((shape, i) => [shape.name, tilesOf(shape, described[i]?.chosen ?? [])]));
  graph.retile((work) => chosen.get(workName(work)));
  const broken = failed === 0 ? undefined : `${failed} tiles do not compile on this device and are left out.`;
  const notice = [ignored, broken, unwritten].filter((line) => line !== undefined).join(' ');
  const source = missing.length === 0 ? 'stored' : 'measured';
  return { source, isDeterministic, ms: performance.now() - started, file: path, shapes: described, ...(notice === '' ? {} : { notice }) };
}

async function measure(
  shapes: readonly Shape[],
  target: TimerTarget,
  { mode, onProgress }: TunerOptions,
): Promise<{ measured: Record<string, StoredShape>; failed: number }> {
  const matmuls = shapes.map((shape) => shape.matmuls);
  const mostTokens = mostTokensOf(target.batch.limits, shapes);
  using timer = new DeviceTimer(target, matmuls, mostTokens);
  const budget = mode === 'quick' ? quickBudget : Number.POSITIVE_INFINITY;
  const { times, failed } = await measureShapes(shapes, timer, { budget, mostTokens }, onProgress);
  const chosen = shapes.map((shape, i) => chooseTiles(shape, times[i] ?? []).map(tileName));
  timer.forget((shape, tile) => chosen[shape]?.includes(tile) === true);
  return { measured: Object.fromEntries(shapes.map(({ name }, i) => [name, { chosen: chosen[i] ?? [], times: times[i] ?? [] }])), failed };
}

/** Tokens of the largest step that decides anything, as far as the engine has such steps. */
function mostTokensOf({ maxTokens, contextLength }: BatchLimits, plans: readonly TilePlan[]): number {
  return Math.min(Math.max(...plans.map(manyTokens)), maxTokens, contextLength);
}

function listShapes(graph: Graph, device: TunedDevice): Shape[] {
  const byName = Map.groupBy(graph.matmuls, ({ work }) => workName(work));
  return [...byName].flatMap(([name, matmuls]) => {
    const work = matmuls[0]?.work;
    return work === undefined ? [] : [{ name, matmuls, ...planOf(work, device), weight: work.rows * work.columns * matmuls.length }];
  });
}

function planOf(work: MatmulWork, device: TunedDevice): TilePlan {
  const facts = tileFacts(device);
  return { candidates: candidateTiles(facts, work), builtIn: standardTiles(facts, work) };
}

/** What is stored about a shape, if every tile that it names is one that can be chosen. */
function find(stored: Readonly<Record<string, StoredShape>>, name: string, plan: TilePlan): StoredShape | undefined {
  const found = Object.hasOwn(stored, name) ? stored[name] : undefined;
  if (found === undefined) return undefined;
  const tiles = tilesOf(plan, found.chosen);
  const isAscending = tiles.every(({ tokens }, i) => i === 0 || tokens > (tiles[i - 1]?.tokens ?? 0));
  return tiles.length === found.chosen.length && tiles.length > 0 && isAscending ? found : undefined;
}

function tilesOf({ candidates }: TilePlan, names: readonly string[]): Tile[] {
  return names.flatMap((name) => candidates.find((tile) => tileName(tile) === name) ?? []);
}

/** Whether every tile that has rivals, and is not larger than the engine's steps, was timed. */
function isComplete({ candidates }: TilePlan, { times }: StoredShape, mostTokens: number): boolean {
  const hasRivals = (tile: Tile): boolean => candidates.some((other) => other !== tile && other.tokens === tile.tokens);
  return candidates
    .filter((tile) => tile.tokens <= mostTokens && hasRivals(tile))
    .every((tile) => times.some((time) => time.tile === tileName(tile) && time.tokens === tile.tokens));
}

function describe(shape: string, plan: TilePlan, found: StoredShape | undefined): TunedShape {
  const builtIn = plan.builtIn.map(tileName);
  const names = plan.candidates.map(tileName);
  const times = (found?.times ?? []).filter(({ tile }) => names.includes(tile));
  return { shape, builtIn, chosen: found?.chosen ?? builtIn, candidates: names, times, leastGain, isMeasured: found !== undefined };
}
