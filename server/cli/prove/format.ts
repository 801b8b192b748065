/**
 * Owns what `inward prove` prints: each claim with its result, and what speaks against it.
 */
import { claims } from '../../prove/claims.ts';
import type { Proof } from '../../prove/run.ts';
import type { Style } from '../style.ts';

export function formatProof({ findings, traffic, memory, markers }: Proof, style: Style): string {
  const paint = { passed: style.good, failed: style.bad, 'not proven': style.warn };
  const lines = findings.flatMap(({ claim, result, told, places }) => [
    `${paint[result](result.padEnd(10))}  ${claims[claim]}`,
    `            ${style.dim(told)}`,
    ...places.map(({ where, process, count }) => `            ${count} x ${where}${process === 'none' ? '' : ` (${process})`}`),
  ]);
  const copies = memory.processes.map(({ kind, count }) => `${kind} ${count ?? 'not readable'}`).join(', ');
  return [
    style.bold(`${traffic.requests} requests with ${markers.count} markers; copies in memory: ${copies}`),
    ...lines,
    `${findings.filter(({ result }) => result === 'passed').length} of ${findings.length} claims passed.`,
    '',
  ].join('\n');
}
