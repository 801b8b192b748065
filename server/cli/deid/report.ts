/**
 * Owns the report of `inward deid`: as text for a terminal, or as one page of HTML that loads nothing. Refuses to cut what was found: it
 * is what the reader has to judge.
 */
import { escapeText } from '../../privacy/audit/report/pictures.ts';
import { detectorVersion } from '../../privacy/deid/detector.ts';
import { categoryMeanings, type Finding, type FindingsOf, leftMeaning, letterOf, limits, type Place, type Report } from '../../privacy/deid/report.ts';

export function formatReport(report: Report): string {
  const found = report.categories.filter(hasAny).map(({ category, findings }) => {
    const lines = findings.map((finding) => `${formatPlace(finding)}  ->  ${finding.replacement === '' ? '(nothing)' : finding.replacement}`);
    return `${nameCategory(category)} (${findings.length})\n${lines.join('\n')}\n`;
  });
  const left = report.left.length === 0 ? ['Nothing.'] : [leftMeaning, ...report.left.map(formatPlace)];
  return `${[
    `${head(report)}\n`,
    ...(found.length === 0 ? ['Nothing was found.\n'] : found),
    `Nothing was found of: ${missing(report).join(', ') || '(each has some)'}\n`,
    `Left, to be looked at (${report.left.length})`,
    `${left.join('\n')}\n`,
    'Limits',
    ...limits.map((line) => `- ${line}`),
  ].join('\n')}\n`;
}

function formatPlace({ line, before, value, after }: Place): string {
  return `  line ${line}: ...${before}>>${value}<<${after}...`;
}

const hasAny = ({ findings }: FindingsOf): boolean => findings.length > 0;

function nameCategory(category: FindingsOf['category']): string {
  return `${letterOf(category)} ${category}: ${categoryMeanings[category]}`;
}

function missing({ categories }: Report): string[] {
  return categories.filter((one) => !hasAny(one)).map(({ category }) => `${letterOf(category)} ${category}`);
}

function head({ categories, length }: Report): string {
  const count = categories.reduce((sum, { findings }) => sum + findings.length, 0);
  const kinds = categories.filter(hasAny).length;
  return `De-identification report: ${count} identifiers of ${kinds} categories in ${length} characters; detector set ${detectorVersion}.`;
}

const style = `
@page { size: A4; margin: 15mm }
body { font: 10pt/1.4 system-ui, sans-serif; color: #1f2328; max-width: 190mm; margin: 8mm auto }
h1 { font-size: 15pt; margin: 0 } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 0.6mm 2mm 0.6mm 0; vertical-align: top; overflow-wrap: anywhere; border-bottom: 0.1mm solid #d0d7de }
tr { break-inside: avoid } mark { background: #fff3bf } .place { width: 65% } .number { text-align: right; white-space: nowrap }
`;

export function createReportPage(report: Report): string {
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>De-identification report</title><style>${style}</style></head><body>`,
    '<h1>De-identification report</h1>',
    `<p>${escapeText(head(report))} This page shows what was found: treat it like the text itself.</p>`,
    table(
      ['45 CFR 164.514(b)(2)(i)', 'found'],
      report.categories.map(({ category, findings }) => `<td>${escapeText(nameCategory(category))}</td><td class="number">${findings.length}</td>`),
    ),
    ...report.categories
      .filter(hasAny)
      .map(
        ({ category, findings }) =>
          `<h2>${escapeText(nameCategory(category))} (${findings.length})</h2>${table(['line', 'found', 'instead'], findings.map(writeFinding))}`,
      ),
    `<h2>Left, to be looked at (${report.left.length})</h2><p>${escapeText(report.left.length === 0 ? 'Nothing.' : leftMeaning)}</p>`,
    ...(report.left.length === 0 ? [] : [table(['line', 'left'], report.left.map(writePlace))]),
    `<h2>Limits</h2><ul>${limits.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`,
    '</body></html>',
    '',
  ].join('\n');
}

function table(headings: readonly string[], rows: readonly string[]): string {
  const head = headings.map((heading) => `<th scope="col">${escapeText(heading)}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.map((row) => `<tr>${row}</tr>`).join('')}</tbody></table>`;
}

function writePlace({ line, before, value, after }: Place): string {
  return `<td class="number">${line}</td><td class="place">&hellip;${escapeText(before)}<mark>${escapeText(value)}</mark>${escapeText(after)}&hellip;</td>`;
}

function writeFinding(finding: Finding): string {
  return `${writePlace(finding)}<td>${escapeText(finding.replacement || '(nothing)')}</td>`;
}
