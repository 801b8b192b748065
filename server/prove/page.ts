/**
 * Owns the report as one page of HTML to read and print on A4. Refuses scripts and everything from outside: its policy lets a browser load
 * nothing.
 */

import { escapeText } from '../privacy/audit/report/pictures.ts';
import type { Signature } from '../privacy/envelope.ts';
import { claims } from './claims.ts';
import type { ProofRecord } from './report.ts';

const style = `
@page { size: A4; margin: 15mm }
body { font: 10pt/1.35 system-ui, sans-serif; color: #1f2328; max-width: 180mm; margin: auto }
h1 { font-size: 15pt; margin: 0 } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: 0.8mm 2mm 0.8mm 0; vertical-align: top; overflow-wrap: anywhere }
th { border-bottom: 0.3mm solid #1f2328; font-weight: 600 } tr { break-inside: avoid } td { border-bottom: 0.1mm solid #d0d7de }
td:first-child { white-space: nowrap } .told { color: #57606a } .bad { font-weight: 700 }
.sign { display: flex; gap: 8mm; margin-top: 14mm } .sign span { flex: 1; border-top: 0.3mm solid #1f2328; padding-top: 1mm }
`;

const verdicts: Readonly<Record<ProofRecord['result'], string>> = {
  passed: 'Every claim passed.',
  failed: 'At least one claim failed.',
  'not proven': 'No claim failed, and at least one could not be checked.',
};

type Row = readonly string[];

/** The whole document. `hash`: SHA-256 of the record. */
export function createProofPage(record: ProofRecord, signatures: readonly Signature[], hash: string): string {
  const { program, machine, compute, tried, memory, settings } = record;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>Zero retention, ${record.id}</title><style>${style}</style></head><body>`,
    '<h1>Zero retention: what was tried, and what was found</h1>',
    `<p>${record.begun} to ${record.ended}. <strong>${verdicts[record.result]}</strong> ${tried.attached ? 'A server that ran already' : 'A server that was started with the settings in force'} got requests with random words (markers) in every place that can hold text, and was watched and searched for them from outside.</p>`,
    '<h2>Claims</h2>',
    formatClaims(record),
    '<h2>What was tried</h2>',
    formatRows(
      ['Route', 'Requests', 'Answers by status'],
      tried.routes.map(({ route, requests, statuses }) => [route, String(requests), describeStatuses(statuses)]),
    ),
    `<p>${tried.requests} requests with ${tried.markers} markers; ${tried.traced ? 'system calls were traced (strace)' : 'system calls were not traced: strace was not there or may not be used'}. "left": the client went away. Places: ${escapeText(tried.cases.join('; '))}.</p>`,
    '<h2>Copies of markers in memory</h2>',
    formatRows(
      ['Process', 'Copies', 'Bytes read'],
      memory.processes.map(({ process, copies, size }) => [process, copies === undefined ? 'not readable' : String(copies), String(size)]),
    ),
    `<p>${Math.round(memory.waitedMs / 1000)} seconds after the last answer; ${memory.first} copies at the first look.</p>`,
    '<h2>What was proved</h2>',
    formatRows(
      ['', ''],
      [
        ['Program', `Inward ${program.version}, SHA-256 ${program.software}, Node ${program.node}`],
        ['Machine', `${machine.platform} ${machine.kernel}, ${machine.architecture}`],
        ['Device', `${compute.device}; ${compute.driver}`],
        ['Model', compute.model],
        [
          'Settings',
          `SHA-256 ${settings.profile}; ${tried.attached ? 'as they were named, not as the server has them' : `of its own the server had: ${settings.replaced.join(', ')}`}`,
        ],
      ],
    ),
    "<h2>What stays the customer's duty</h2>",
    `<ul>${record.duties.map((duty) => `<li>${escapeText(duty)}</li>`).join('')}</ul>`,
    '<h2>Signature</h2>',
    `<p>${describeSignatures(signatures)} SHA-256 of the record: ${hash}. The record is the JSON file that was written beside this page; the page itself is not signed.</p>`,
    '<div class="sign"><span>Read by (name)</span><span>Date</span><span>Signature</span></div>',
    '</body></html>',
    '',
  ].join('\n');
}

function formatClaims({ claims: found }: ProofRecord): string {
  const rows = found.map(({ claim, result, told, places }) => {
    const against = places.map(({ where, process, count }) => `<br>${count} &times; ${escapeText(where)}${process === 'none' ? '' : ` (${process})`}`).join('');
    const cell = result === 'passed' ? result : `<span class="bad">${result}</span>`;
    return `<tr><td>${cell}</td><td>${escapeText(claims[claim])}<br><span class="told">${escapeText(told)}</span>${against}</td></tr>`;
  });
  return `<table><thead><tr><th>Result</th><th>Claim</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`;
}

function formatRows(headings: Row, rows: readonly Row[]): string {
  const line = (cells: Row, tag: 'th' | 'td'): string => `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  const head = headings.every((heading) => heading === '') ? '' : `<thead>${line(headings, 'th')}</thead>`;
  return `<table>${head}<tbody>${rows.map((row) => line(row, 'td')).join('\n')}</tbody></table>`;
}

const describeStatuses = (statuses: Readonly<Record<string, number>>): string =>
  Object.entries(statuses)
    .map(([status, count]) => `${status}: ${count}`)
    .join(', ');

function describeSignatures(signatures: readonly Signature[]): string {
  if (signatures.length === 0) return 'The record is not signed: anybody could have written it.';
  return `The record is signed by ${signatures.map(({ key }) => key).join(', ')} (Ed25519).`;
}
