/**
 * Owns what is seen of a load: the bar that shows how far it is, on a terminal only, and what was wrong with the tuner's file.
 */
import type { Engine, EngineOptions, OpenProgress } from '../../runtime/index.ts';
import type { Output, World } from '../world.ts';

const width = 30;

const labels: Readonly<Record<OpenProgress['part'], string>> = { weights: 'Loading weights', tuning: 'Measuring kernels', kernels: 'Compiling kernels' };

/** A listener that draws how far each part of opening an engine is, and wipes the line at its end. */
export function createProgress(output: Output): (progress: OpenProgress) => void {
  const draw = createBar(output);
  return ({ part, done, total }) => draw(labels[part], done, total);
}

/** Draws how far something is, on a terminal only, and wipes the line at its end. */
export function createBar(output: Output): (label: string, done: number, total: number) => void {
  let shown = '';
  return (label, done, total) => {
    if (output.isTTY !== true) return;
    const percent = total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0;
    if (`${label} ${percent}` === shown) return;
    shown = `${label} ${percent}`;
    const filled = Math.round((width * percent) / 100);
    output.write(percent === 100 ? '\r\x1b[K' : `\r${label} [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${percent} %`);
  };
}

/** Opens an engine; a file of measurements that could not be used is told in one line. */
export async function openEngine(options: EngineOptions, world: World): Promise<Engine> {
  const engine = await world.openEngine(options);
  const { notice } = engine.info.tuning;
  if (notice !== undefined) world.err.write(`${notice}\n`);
  return engine;
}
