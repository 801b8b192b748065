/** The text for a breach risk assessment: the four factors, and what the records say to them. */
import { expect, test } from 'vitest';
import { formatIncidentSheet } from '../../../../../server/privacy/audit/incident/sheet.ts';
import { collectIncident } from '../../../../../server/privacy/audit/incident.ts';
import { Story } from '../story.ts';

const window = { from: Date.parse('2026-11-23T00:00Z'), to: Date.parse('2026-11-24T00:00Z') };

test('each factor once, in the order of the rule, with its facts', () => {
  const story = new Story().intent('2026-11-23T10:00Z', 1).outcome('2026-11-23T10:01Z', 1, 'stop', { promptTokens: 512, completionTokens: 64 });
  story.intent('2026-11-23T10:02Z', 2).outcome('2026-11-23T10:03Z', 2, 'cancelled');
  story.add('2026-11-23T11:00Z', { event: 'gap', cause: 'torn', bytes: 10, records: 3 });
  story.add('2026-11-23T11:01Z', { event: 'gap', cause: 'head', bytes: 0, records: 0 });
  story.add('2026-11-23T12:00Z', { event: 'key_revoked', by: 'anna', at: window.from, key: 'aaaaaaaaaa', from: window.from });
  const incident = { ...collectIncident(story.records, { ...window, key: 'aaaaaaaaaa' }), checkpoint: 'x' };
  const text = formatIncidentSheet(incident);
  expect(text.split('\n').filter((line) => /^\d\. /.test(line))).toEqual([
    '1. Nature and extent of the protected health information, and how likely people can be identified again',
    '2. The unauthorized person who used it, or to whom it was disclosed',
    '3. Whether it was actually acquired or viewed',
    '4. How far the risk has been mitigated',
  ]);
  expect(text.match(/The trail does not say: /g)).toHaveLength(4);
  for (const fact of [
    'Requests meant: key aaaaaaaaaa; 4 records, 1 keys',
    'Text sent: 257 to 512 tokens, and 1 requests of unknown length. Text answered: 33 to 64 tokens',
    'Of 2 requests 1 were answered, 1 were broken off by the client, 0 were refused, 0 failed.',
    'Not known: 3 records, which nobody had been answered for, were lost before 2026-11-23 11:00:00 UTC.',
    'Not known: whether records were cut off before 2026-11-23 11:01:00 UTC;',
    '2026-11-23 12:00:00 UTC: key revoked by anna',
    'Each record is proved by the enclosed document.',
    'no legal advice',
  ])
    expect(text).toContain(fact);
});

test('without records and proofs it says so', () => {
  const text = formatIncidentSheet(collectIncident([], window));
  for (const fact of ['Requests meant: all; 0 records, 0 keys', 'nothing here is proved', 'There were no records.', 'Keys: none. People: none.'])
    expect(text).toContain(fact);
});
