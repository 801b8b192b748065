/**
 * Owns the thread that searches long texts: one text at a time, as UTF-16 units in a buffer that is overwritten as soon as it was read. What the search made
 * of it is collected before the next one is taken. Refuses to send anything back but places and categories.
 */
import { parentPort } from 'node:worker_threads';
import { collectGarbage } from '../../runtime/index.ts';
import { createDetector } from '../privacy/deid/detector.ts';
import { findIdentifiers } from '../privacy/deid/search.ts';

const detector = createDetector();

parentPort?.on('message', (units: Uint8Array) => {
  parentPort?.postMessage(search(units));
  collectGarbage();
});

function search(units: Uint8Array): object[] {
  const text = Buffer.from(units.buffer).toString('utf16le');
  units.fill(0);
  return findIdentifiers(text, detector).map(({ start, end, type, form }) => ({ start, end, type, form }));
}
