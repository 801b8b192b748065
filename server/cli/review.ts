/**
 * Owns `inward review`: the access review, on the terminal, as JSON or for a spreadsheet. Refuses to change anything.
 */
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { formatCsv } from '../privacy/csv.ts';
import { writeNewFile } from '../privacy/files.ts';
import { createReview, type Finding, type Found, findings, type KeyEntry, type PersonEntry, type Review } from '../privacy/review.ts';
import type { World } from '../world.ts';
import { formatExamples } from './group.ts';
import { describePurposes, describeScopes } from './key/list.ts';
import type { Flags } from './options.ts';
import { addSiteOptions, openSite } from './site.ts';
import { createStyle, type Style } from './style.ts';
import { formatTable } from './table.ts';
import { formatTime } from './values.ts';

export function createReviewCommand(world: World, onExit: (code: number) => void): Command {
  const command = new Command('review')
    .description('Review access: every person with roles, every key with scopes, who made it and until when, and what is worth a look.')
    .option('--json', 'print the review as JSON')
    .addOption(new Option('--csv <file>', 'write it for a spreadsheet to this new file, which only you can read').conflicts('json'));
  return addSiteOptions(command)
    .addHelpText('after', formatExamples(['inward review', 'inward review --csv review-2026-11.csv']))
    .action(async (flags: Flags) => onExit(await runReview(flags, world)));
}

async function runReview(flags: Flags, world: World): Promise<number> {
  await using site = await openSite(flags, world, 'review.read');
  const review = createReview(site.snapshot, Date.now());
  const { json, csv } = flags;
  if (typeof csv === 'string') {
    const path = resolve(world.folder, csv);
    writeNewFile(path, formatSheet(review), 0o600);
    world.out.write(`The review is in ${path}.\n`);
  } else world.out.write(json === true ? `${JSON.stringify(review, undefined, 2)}\n` : formatReview(review, createStyle(world.out, world.environment)));
  return 0;
}

function formatReview({ at, site, region, people, keys, trustedKeys }: Review, style: Style): string {
  const personRows = people.map(({ id, roles, state, knownBy, token, expiresAt, createdAt, createdBy }) => [
    ...[id, roles.join(','), state, token ?? knownBy, formatTime(expiresAt)],
    ...[formatTime(createdAt), createdBy],
  ]);
  const keyRows = keys.map((key) => {
    const { id, label, tenant, data, state, expiresAt, createdAt, createdBy } = key;
    return [id, label, tenant, data, state, formatTime(expiresAt), formatTime(createdAt), createdBy, describePurposes(key), describeScopes(key)];
  });
  return [
    `Access review of ${site ?? 'this site'} in ${region ?? 'no region'}, ${formatTime(at)}`,
    '',
    formatTable(['person', 'roles', 'state', 'known by', 'ends', 'added', 'by'], personRows, style),
    formatTable(['key', 'label', 'tenant', 'data', 'state', 'ends', 'made', 'by', 'purposes', 'scopes'], keyRows, style),
    formatTable(
      ['trusted key', 'added', 'by'],
      trustedKeys.map(({ id, addedAt, addedBy }) => [id, formatTime(addedAt), addedBy]),
      style,
    ),
    ...formatFindings([...people, ...keys], style),
    '',
  ].join('\n');
}

function formatFindings(entries: readonly Found<{ readonly id: string }>[], style: Style): string[] {
  const lines = entries.flatMap(({ id, findings: found }) => found.map((finding) => `  ${style.warn(id)} ${findings[finding]}`));
  return lines.length === 0 ? [style.good('Nothing stands out.')] : [style.bold('Worth a look'), ...lines];
}

const columns = [
  ...['type', 'id', 'state', 'roles', 'label', 'tenant', 'data', 'break-glass', 'purposes', 'routes', 'models', 'networks', 'hours', 'tokens per minute'],
  ...[
    'tokens per day',
    'priority',
    'region',
    'known by',
    'token',
    'made at',
    'made by',
    'ends at',
    'revoked at',
    'revoked by',
    'used at',
    'replaces',
    'findings',
  ],
] as const;
type Cells = Partial<Record<(typeof columns)[number], string | number | undefined>>;

function formatSheet({ people, keys, trustedKeys }: Review): string {
  const rows: readonly Cells[] = [
    ...people.map((person) => ({ type: 'person', ...describeEntry(person), roles: person.roles.join(' ') })),
    ...keys.map((key) => ({ type: 'key', ...describeEntry(key), ...describeKeyCells(key) })),
    ...trustedKeys.map(({ id, addedAt, addedBy }) => ({ type: 'trusted key', id, 'made at': addedAt, 'made by': addedBy })),
  ];
  return formatCsv(
    columns,
    rows.map((row) => columns.map((column) => String(row[column] ?? ''))),
  );
}

function describeEntry({
  id,
  state,
  knownBy,
  token,
  createdAt,
  createdBy,
  expiresAt,
  revokedAt,
  revokedBy,
  findings: found,
}: Found<PersonEntry | KeyEntry>): Cells {
  return {
    ...{
      id,
      state,
      'known by': knownBy,
      token,
      'made at': createdAt,
      'made by': createdBy,
      'ends at': expiresAt,
      'revoked at': revokedAt,
      'revoked by': revokedBy,
    },
    findings: found.map((finding: Finding) => findings[finding]).join('; '),
  };
}

function describeKeyCells(key: KeyEntry): Cells {
  const { label, tenant, data, isSealed, scopes, openedAt, replaces } = key;
  const { routes, models, networks, hours, tokensPerMinute, tokensPerDay, priority, region } = scopes;
  return {
    ...{
      label,
      tenant,
      data,
      'break-glass': isSealed ? 'yes' : 'no',
      purposes: describePurposes(key).replaceAll(',', ' '),
      routes: routes.join(' '),
      models: models.join(' '),
    },
    ...{
      networks: networks.join(' '),
      hours,
      'tokens per minute': tokensPerMinute,
      'tokens per day': tokensPerDay,
      priority,
      region,
      'used at': openedAt,
      replaces,
    },
  };
}
