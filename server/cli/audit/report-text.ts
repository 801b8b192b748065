/**
 * Owns the review sheet of the audit trail on the terminal. Refuses to write a file: the page to print is privacy/audit/report/page.ts.
 */
import type { ReportFoot } from '../../privacy/audit/report/page.ts';
import { listFindings, listTables, shortenTime } from '../../privacy/audit/report/tables.ts';
import type { Summary } from '../../privacy/audit/report.ts';
import type { Style } from '../style.ts';
import { formatTable } from '../table.ts';

/** Lines with their ends. */
export function formatReport(summary: Summary, style: Style, { site, verification }: ReportFoot = {}): string {
  const { period, records } = summary;
  const found = listFindings(summary);
  return [
    style.bold(`Review of the audit trail${site === undefined ? '' : `, ${site}`}`),
    `${shortenTime(period.from)} to ${shortenTime(period.to)}; days and hours of ${period.timeZone}. ${records} records.`,
    ...(verification === undefined ? [] : [verification]),
    '',
    ...(found.rows.length === 0 ? [style.good('Nothing stands out.'), ''] : [style.warn(found.title), formatTable(found.headings, found.rows, style)]),
    ...listTables(summary).flatMap(({ title, headings, rows }) => [style.bold(title), formatTable(headings, rows, style)]),
  ].join('\n');
}
