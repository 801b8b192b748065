/**
 * Owns what is seen of a load: the bar that shows how far it is and how fast, on a terminal only, and what was wrong with the tuner's file.
 */
import type { Engine, EngineOptions, OpenProgress } from '../../runtime/index.ts';
import type { Output, World } from '../world.ts';

const width = 30;

const labels: Readonly<Record<OpenProgress['part'], string>> = { weights: 'Loading weights', tuning: 'Measuring kernels', kernels: 'Compiling kernels' };

/** A listener that draws how far each part of opening an engine is, and wipes the line at its end. `now`: in ms. */
export function createProgress(output: Output, now: () => number = () => performance.now()): (progress: OpenProgress) => void {
  const draw = createBar(output);
  let started = now();
  return ({ part, done, total }) => {
    if (done === 0) started = now();
    const seconds = (now() - started) / 1000;
    // Only weights are in bytes.
    draw(labels[part], done, total, part === 'weights' && seconds > 0 ? `, ${(done / 1e9 / seconds).toFixed(2)} GB/s` : '');
  };
}

/** Draws how far something is, on a terminal only, and wipes the line at its end. `note`: behind the percent. */
export function createBar(output: Output): (label: string, done: number, total: number, note?: string) => void {
  let shown = '';
  return (label, done, total, note = '') => {
    if (output.isTTY !== true) return;
    const percent = total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0;
    if (`${label} ${percent}` === shown) return;
    shown = `${label} ${percent}`;
    const filled = Math.round((width * percent) / 100);
    // What stood there may have been longer.
    output.write(percent === 100 ? '\r\x1b[K' : `\r${label} [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${percent} %${note}\x1b[K`);
  };
}

/** Opens an engine; a file of measurements that could not be used is told in one line. */
export async function openEngine(options: EngineOptions, world: World): Promise<Engine> {
  const engine = await world.openEngine(options);
  const { notice } = engine.info.tuning;
  if (notice !== undefined) world.err.write(`${notice}\n`);
  return engine;
}
