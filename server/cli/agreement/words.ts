/**
 * Owns what an agreement is in plain words, for whoever signs it or looks it up.
 */
import type { Agreement, AgreementKind } from '../../privacy/agreement.ts';

const kinds: Readonly<Record<AgreementKind, string>> = {
  'self-operated': 'self-operated: the covered entity runs the server itself',
  baa: 'baa: with business associates, under a signed contract',
  synthetic: 'synthetic: an evaluation without PHI',
};

/** Every field, in lines. */
export function describeAgreement(agreement: Agreement): string {
  const lines: readonly (readonly [string, string])[] = [
    ['agreement', agreement.id],
    ['kind', kinds[agreement.kind]],
    ['covered entity', `${agreement.coveredEntity.name} (${agreement.coveredEntity.id})`],
    ...agreement.associates.map(({ name, id, role }): [string, string] => ['associate', `${name} (${id}), ${role}`]),
    ...agreement.subcontractors.map(({ name, id, agreement: own }): [string, string] => ['subcontractor', `${name} (${id}), under ${own}`]),
    ...agreement.signatories.map(({ name, title, date }): [string, string] => ['signatory', `${name}, ${title}, ${date}`]),
    ['in force', describeTerm(agreement)],
    ['purposes', agreement.purposes.join(', ')],
    ['departments', agreement.tenants.join(', ') || 'all'],
    ['regions', agreement.regions.join(', ')],
    ['hosts', agreement.hosts.join(', ') || 'those whose manifest names this agreement'],
    ['clauses', agreement.clauses.join(', ') || 'none'],
    ['breach report', `within ${agreement.breachReportHours} hours`],
    ['PHI at its end', agreement.termination],
    ['42 CFR Part 2', agreement.part2 ? 'covered' : 'not covered'],
    ['document', agreement.documentSha256 === undefined ? 'none' : `SHA-256 ${agreement.documentSha256}`],
    ['supersedes', agreement.supersedes ?? 'none'],
  ];
  return formatPairs(lines);
}

export function describeTerm({ effective, expires, review }: Agreement): string {
  return `from ${effective} ${expires === undefined ? `to the end of ${review}, its day of review (UTC)` : `until ${expires}`}`;
}

/** Names in a column, what they name beside it. */
export function formatPairs(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join('');
}
