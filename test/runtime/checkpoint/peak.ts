/** Owns the asking of peak-probe.ts. Refuses to wait longer than a minute. */
import { fork } from 'node:child_process';
import type { PeakAnswer, PeakRequest } from './peak-probe.ts';

export function measurePeak(request: PeakRequest): Promise<PeakAnswer> {
  const child = fork(new URL('./peak-probe.ts', import.meta.url), [], { execArgv: ['--max-old-space-size=256'], timeout: 60_000, killSignal: 'SIGKILL' });
  return new Promise((resolve, reject) => {
    child.on('message', (answer: PeakAnswer) => resolve(answer)).on('exit', (code, signal) => reject(new Error(`the probe ended with ${code ?? signal}`)));
    child.send(request);
  });
}
