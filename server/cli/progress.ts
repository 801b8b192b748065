/**
 * Owns the bar that shows how far a load is. On anything but a terminal it stays silent.
 */
import type { Output } from '../world.ts';

const width = 30;

/** A listener that draws `done` of `total` bytes and wipes the line at the end. */
export function createProgress(label: string, output: Output): (progress: { readonly done: number; readonly total: number }) => void {
  let shown = -1;
  return ({ done, total }) => {
    if (output.isTTY !== true) return;
    const percent = total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0;
    if (percent === shown) return;
    shown = percent;
    const filled = Math.round((width * percent) / 100);
    output.write(percent === 100 ? '\r\x1b[K' : `\r${label} [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${percent} %`);
  };
}
