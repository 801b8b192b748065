/**
 * Owns the claim about the device: the server reads everything that held requests back when it gives its engine up, and logs what it found.
 */
import { doubt, type Finding, judge } from '../claims.ts';

/** `log`: what it wrote, JSON lines among it. `isEnded`: it ended by itself. */
export function judgeDevice(log: Buffer, isEnded: boolean): Finding {
  const lines = log.toString().split('\n');
  const unloaded = lines.findLast((line) => line.includes('"event":"model_unloaded"'));
  if (!isEnded || unloaded === undefined) return doubt('device', [], 'The server did not end by itself, so it did not read its device back.');
  const isZeroed = unloaded.includes('"zeroed":true');
  const told = 'When it ended, the server read back every block of the KV cache, the scratch buffers and what results are read from.';
  return judge('device', isZeroed ? [] : [{ where: 'memory of the device', process: 'engine', count: 1 }], told);
}
