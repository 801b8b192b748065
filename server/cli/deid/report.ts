/**
 * Owns the report of `inward deid`: as text for a terminal, or as one page of HTML that loads nothing. Refuses to cut what was found: it
 * is what the reader has to judge.
 */
import { escapeText } from '../../privacy/audit/report/pictures.ts';
import { detectorVersion } from '../../privacy/deid/detector.ts';
import { categoryMeanings, type Finding, type FindingsOf, limits } from '../../privacy/deid/report.ts';

export function formatReport(found: readonly FindingsOf[], length: number): string {
  const parts = found.map(({ category, findings }) => {
    const lines = findings.map(
      ({ before, value, after, replacement }) => `  ...${before}>>${value}<<${after}...  ->  ${replacement === '' ? '(nothing)' : replacement}`,
    );
    return `${category}: ${categoryMeanings[category]} (${findings.length})\n${lines.join('\n')}\n`;
  });
  return `${[head(found, length), ...(parts.length === 0 ? ['Nothing was found.\n'] : parts), 'Limits', ...limits.map((line) => `- ${line}`)].join('\n')}\n`;
}

function head(found: readonly FindingsOf[], length: number): string {
  const count = found.reduce((sum, { findings }) => sum + findings.length, 0);
  return `De-identification report: ${count} identifiers of ${found.length} categories in ${length} characters; detector set ${detectorVersion}.\n`;
}

const style = `
@page { size: A4; margin: 15mm }
body { font: 10pt/1.4 system-ui, sans-serif; color: #1f2328; max-width: 190mm; margin: 8mm auto }
h1 { font-size: 15pt; margin: 0 } h2 { font-size: 11pt; margin: 5mm 0 1mm; break-after: avoid }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 0.6mm 2mm 0.6mm 0; vertical-align: top; overflow-wrap: anywhere; border-bottom: 0.1mm solid #d0d7de }
tr { break-inside: avoid } mark { background: #fff3bf } .place { width: 70% }
`;

export function createReportPage(found: readonly FindingsOf[], length: number): string {
  const row = ({ before, value, after, replacement }: Finding): string =>
    `<tr><td class="place">&hellip;${escapeText(before)}<mark>${escapeText(value)}</mark>${escapeText(after)}&hellip;</td><td>${escapeText(replacement)}</td></tr>`;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>De-identification report</title><style>${style}</style></head><body>`,
    '<h1>De-identification report</h1>',
    `<p>${escapeText(head(found, length))} This page shows what was found: treat it like the text itself.</p>`,
    ...found.map(
      ({ category, findings }) =>
        `<h2>${category}: ${escapeText(categoryMeanings[category])} (${findings.length})</h2><table><tr><th>found</th><th>instead</th></tr>${findings.map(row).join('')}</table>`,
    ),
    ...(found.length === 0 ? ['<p>Nothing was found.</p>'] : []),
    `<h2>Limits</h2><ul>${limits.map((line) => `<li>${escapeText(line)}</li>`).join('')}</ul>`,
    '</body></html>',
    '',
  ].join('\n');
}
