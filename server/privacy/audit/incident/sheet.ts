/**
 * Owns the text that goes with an incident: the four factors of 45 CFR 164.402(2) as headings, and what the trail can and cannot say to
 * each. Refuses to judge whether it was a breach: people do.
 */
import type { Incident } from '../incident.ts';
import { shortenTime } from '../report/tables.ts';
import type { Bounds } from './tokens.ts';

/** Lines with their ends. */
export function formatIncidentSheet(incident: Incident): string {
  const { window, filter, keys, records, checkpoint } = incident;
  const meant = Object.entries(filter).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  return [
    'Facts for a breach risk assessment (45 CFR 164.402)',
    '',
    `Window: ${shortenTime(window.from)} to ${shortenTime(window.to)}`,
    `Requests meant: ${meant.length === 0 ? 'all' : meant.join(', ')}; ${records.length} records, ${keys.length} keys`,
    checkpoint === undefined ? 'No checkpoint is enclosed: nothing here is proved.' : 'Each record is proved by the enclosed document.',
    '',
    ...[describeNature, describePerson, describeAcquired, describeMitigation].flatMap((describe, index) => describe(incident, index + 1)),
    'This sheet lists facts of the audit trail. It is no finding and no legal advice.',
    '',
  ].join('\n');
}

function section(number: number, title: string, says: readonly string[], silent: string): string[] {
  return [`${number}. ${title}`, ...says.map((line) => `   - ${line}`), `   The trail does not say: ${silent}`, ''];
}

function describeNature({ promptTokens, completionTokens, tenants, purposes }: Incident, number: number): string[] {
  return section(
    number,
    'Nature and extent of the protected health information, and how likely people can be identified again',
    [
      `Text sent: ${describeBounds(promptTokens)}. Text answered: ${describeBounds(completionTokens)}.`,
      `Departments: ${listNames(tenants)}. Purposes: ${listNames(purposes)}.`,
    ],
    'what was in a request, which patients it was about, and which identifiers it had. That is with the systems that sent the requests.',
  );
}

function describePerson({ keys, people, addresses, hosts, breakGlass }: Incident, number: number): string[] {
  return section(
    number,
    'The unauthorized person who used it, or to whom it was disclosed',
    [
      `Keys: ${listNames(keys)}. People: ${listNames(people)}.`,
      `Addresses: ${listNames(addresses)}. Servers: ${listNames(hosts)}.`,
      ...(breakGlass.length === 0 ? [] : [`Break-glass keys were used: ${breakGlass.length} records.`]),
    ],
    'who sat behind a key or an address, and whom they told.',
  );
}

function describeAcquired({ keys, unknown, ...incident }: Incident, number: number): string[] {
  const sum = (name: 'requests' | 'answered' | 'refused' | 'failed' | 'cancelled'): number => incident.hosts.reduce((all, tally) => all + tally[name], 0);
  return section(
    number,
    'Whether it was actually acquired or viewed',
    [
      `Of ${sum('requests')} requests ${sum('answered')} were answered, ${sum('cancelled')} were broken off by the client, ${sum('refused')} were refused, ${sum('failed')} failed.`,
      ...describeUnknown(unknown),
    ],
    'whether anybody read an answer, or how much of one that was broken off or crashed had reached the client.',
  );
}

function describeUnknown({ looked, gaps, withoutTrail, crashed, open }: Incident['unknown']): string[] {
  return [
    looked === undefined ? 'There were no records.' : `Records were looked at from ${shortenTime(looked.from)} to ${shortenTime(looked.to)}.`,
    ...gaps.map(({ to, records, cause }) =>
      cause === 'torn'
        ? `Not known: ${records} records, which nobody had been answered for, were lost before ${shortenTime(to)}.`
        : `Not known: whether records were cut off before ${shortenTime(to)}; the head of the trail was missing, and only a witness can tell.`,
    ),
    ...withoutTrail.map(({ from, to }) => `Nothing could be recorded, and new requests were refused: ${shorten(from, 'before')} to ${shorten(to, 'after')}.`),
    ...(crashed === 0 ? [] : [`${crashed} requests ended with the process.`]),
    ...(open === 0 ? [] : [`${open} requests have no recorded end.`]),
  ];
}

function describeMitigation({ administration, agreements }: Incident, number: number): string[] {
  const changes = administration.map(({ time, event, fields: { by = '' } }) => `${shortenTime(time)}: ${event.replaceAll('_', ' ')} by ${by}`);
  return section(
    number,
    'How far the risk has been mitigated',
    [
      `Agreements under which requests were taken: ${listNames(agreements)}.`,
      ...(changes.length === 0 ? ['Nobody changed anything by command in the window.'] : changes),
    ],
    'what was agreed with recipients outside, and whether copies were destroyed.',
  );
}

function listNames(subjects: readonly { readonly name: string }[]): string {
  return subjects.length === 0 ? 'none' : subjects.map(({ name }) => name).join(', ');
}

function describeBounds({ atLeast, atMost, unknown }: Bounds): string {
  return `${atLeast} to ${atMost} tokens${unknown === 0 ? '' : `, and ${unknown} requests of unknown length`}`;
}

function shorten(time: string | undefined, outside: string): string {
  return time === undefined ? `${outside} the records` : shortenTime(time);
}
