/**
 * Owns the review sheet as one page of HTML to print on A4 and sign. Refuses scripts and everything from outside: the page is whole as it
 * is, and its policy lets a browser load nothing.
 */
import type { Summary } from '../report.ts';
import { drawDays, drawHours, escapeText } from './pictures.ts';
import { listFindings, listTables, shortenTime, type Table } from './tables.ts';

/** What the command knows besides the records. */
export interface ReportFoot {
  /** Code of the site. */
  readonly site?: string | undefined;
  /** The latest checkpoint, as text with its signature. */
  readonly checkpoint?: string | undefined;
  /** The result of verifying the trail, as a sentence. */
  readonly verification?: string | undefined;
}

const style = `
@page { size: A4; margin: 15mm }
body { font: 10pt/1.35 system-ui, sans-serif; color: #1f2328; max-width: 180mm; margin: auto }
h1 { font-size: 15pt; margin: 0 } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: 0.6mm 2mm 0.6mm 0; vertical-align: top; overflow-wrap: anywhere }
th { border-bottom: 0.3mm solid #1f2328; font-weight: 600 } tr { break-inside: avoid } td { border-bottom: 0.1mm solid #d0d7de }
.look { border: 0.5mm solid #9a6700; padding: 0 3mm 2mm } svg { width: 100%; break-inside: avoid }
.foot { break-inside: avoid }
.sign { display: flex; gap: 8mm; margin-top: 14mm } .sign span { flex: 1; border-top: 0.3mm solid #1f2328; padding-top: 1mm }
pre { font: 8pt ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
`;

/** The whole document. */
export function createReportPage(summary: Summary, { site, checkpoint, verification }: ReportFoot = {}): string {
  const { period, days, hours, records, first, last } = summary;
  const title = `Review of the audit trail${site === undefined ? '' : `, ${site}`}`;
  const found = listFindings(summary);
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeText(title)}</title><style>${style}</style></head><body>`,
    `<h1>${escapeText(title)}</h1>`,
    `<p>${shortenTime(period.from)} to ${shortenTime(period.to)}; days and hours of ${escapeText(period.timeZone)}. ${records} records${
      first === undefined ? '' : `, ${first} to ${last}`
    }.</p>`,
    found.rows.length === 0 ? '<p>Nothing stands out.</p>' : `<div class="look">${formatTable(found)}</div>`,
    '<h2>Requests</h2>',
    drawDays(days),
    drawHours(hours),
    ...listTables(summary).map(formatTable),
    '<div class="foot"><h2>Verification</h2>',
    `<p>${escapeText(verification ?? 'The trail was not verified for this sheet.')}</p>`,
    checkpoint === undefined ? '' : `<pre>${escapeText(checkpoint)}</pre>`,
    '<div class="sign"><span>Reviewed by (name)</span><span>Date</span><span>Signature</span></div></div>',
    '</body></html>',
    '',
  ].join('\n');
}

function formatTable({ title, headings, rows }: Table): string {
  const line = (cells: readonly string[], tag: 'th' | 'td'): string => `<tr>${cells.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return `<h2>${escapeText(title)}</h2><table><thead>${line(headings, 'th')}</thead><tbody>${rows.map((row) => line(row, 'td')).join('\n')}</tbody></table>`;
}
