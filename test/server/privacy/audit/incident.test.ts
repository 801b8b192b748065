/** What the trail says about an incident: by hand, and against counts that are made in another way. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../../../server/privacy/audit/events.ts';
import { collectIncident } from '../../../../server/privacy/audit/incident.ts';
import { anyRecords } from './any-record.ts';
import { host, Story } from './story.ts';

const window = { from: Date.parse('2026-11-23T00:00Z'), to: Date.parse('2026-11-24T00:00Z') };
const none = { answered: 0, cancelled: 0, refused: 0, failed: 0, open: 0 };

function createStory(): Story {
  const story = new Story();
  // 0 and 5: it began before the window and ended in it. 1 and 2: over before it.
  story.intent('2026-11-22T23:58Z', 1);
  story.intent('2026-11-22T23:58Z', 2).outcome('2026-11-22T23:59Z', 2);
  story.add('2026-11-22T23:59:30Z', { event: 'audit_stopped', cause: 'stall' });
  story.add('2026-11-23T00:00:30Z', { event: 'audit_resumed', cause: 'stall', duration: 65_536 });
  story.outcome('2026-11-23T00:01Z', 1, 'stop', { promptTokens: 8, completionTokens: 1 });
  // 6 and 13: of another key. 7 and 8.
  story.intent('2026-11-23T10:00Z', 3, { key: 'bbbbbbbbbb', address: '10.9.9.9', tenant: 'icu', agreement: 'agr-00000002' });
  story.intent('2026-11-23T11:00Z', 4).outcome('2026-11-23T11:01Z', 4, 'crashed');
  // 9 to 12.
  story.add('2026-11-23T12:00Z', { event: 'gap', cause: 'torn', bytes: 100, records: 2 });
  story.add('2026-11-23T13:00Z', { event: 'denied', route: '/v1/completions', refusal: 'hours_denied', key: 'aaaaaaaaaa', address: '10.1.2.3' });
  story.add('2026-11-23T13:30Z', { event: 'auth_failed', route: '/v1/completions', refusal: 'key_revoked', key: 'aaaaaaaaaa', address: '10.7.7.7' });
  story.add('2026-11-23T14:00Z', { event: 'key_revoked', by: 'anna', at: window.from, key: 'aaaaaaaaaa', from: window.from });
  story.outcome('2026-11-24T00:01Z', 3, 'length', { promptTokens: 1024, completionTokens: 0 });
  story.intent('2026-11-24T00:02Z', 5);
  return story;
}

describe('by hand', () => {
  const { records } = createStory();

  test('of one key', () => {
    const incident = collectIncident(records, { ...window, key: 'aaaaaaaaaa' });
    expect(incident.records).toEqual([0, 5, 7, 8, 10, 11]);
    expect(incident.keys).toEqual([
      { ...none, name: 'aaaaaaaaaa', requests: 4, answered: 1, failed: 1, refused: 2, first: '2026-11-22T23:58:00.000Z', last: '2026-11-23T13:30:00.000Z' },
    ]);
    expect(incident.addresses.map(({ name, requests }) => [name, requests])).toEqual([
      ['10.1.2.3', 3],
      ['10.7.7.7', 1],
    ]);
    expect(incident.tenants.map(({ name, requests }) => [name, requests])).toEqual([['cardiology', 2]]);
    expect(incident.agreements.map(({ name }) => name)).toEqual(['agr-00000001']);
    expect(incident.hosts.map(({ name }) => name)).toEqual([host]);
    // A bucket of 8 is 5 to 8; the crashed request has none.
    expect(incident.promptTokens).toEqual({ atLeast: 5, atMost: 8, unknown: 1 });
    expect(incident.completionTokens).toEqual({ atLeast: 1, atMost: 1, unknown: 1 });
    expect(incident.administration.map(({ event, fields }) => [event, fields['by']])).toEqual([['key_revoked', 'anna']]);
    expect(incident).toMatchObject({ type: 'inward.audit.incident.v1', filter: { key: 'aaaaaaaaaa' }, proofs: [] });
  });

  test('what is not known', () => {
    expect(collectIncident(records, window).unknown).toEqual({
      looked: { from: '2026-11-22T23:58:00.000Z', to: '2026-11-24T00:02:00.000Z' },
      gaps: [{ seq: 9, from: '2026-11-23T11:01:00.000Z', to: '2026-11-23T12:00:00.000Z', cause: 'torn', bytes: 100, records: 2 }],
      withoutTrail: [{ from: '2026-11-22T23:59:30.000Z', to: '2026-11-23T00:00:30.000Z', cause: 'stall' }],
      crashed: 1,
      open: 0,
    });
  });

  test('of an address, a tenant, nobody', () => {
    expect(collectIncident(records, { ...window, address: '10.9.9.9' }).records).toEqual([6, 13]);
    expect(collectIncident(records, { ...window, tenant: 'icu' }).records).toEqual([6, 13]);
    expect(collectIncident(records, { ...window, key: 'aaaaaaaaaa', tenant: 'icu' }).records).toEqual([]);
    expect(collectIncident(records, { ...window, person: 'anna' }).keys).toEqual([]);
    expect(collectIncident([], window).unknown).toEqual({ gaps: [], withoutTrail: [], crashed: 0, open: 0 });
  });

  test('a gap whose time may lie in the window counts, one that cannot does not', () => {
    const gap = (before: string, after: string): number =>
      collectIncident(new Story().add(before, { event: 'tls_reloaded' }).add(after, { event: 'gap', cause: 'head', bytes: 0, records: 1 }).records, window)
        .unknown.gaps.length;
    expect(gap('2026-11-20T00:00Z', '2026-11-23T00:00Z')).toBe(1);
    expect(gap('2026-11-23T23:59Z', '2026-11-26T00:00Z')).toBe(1);
    expect(gap('2026-11-20T00:00Z', '2026-11-22T23:59Z')).toBe(0);
    expect(gap('2026-11-24T00:00Z', '2026-11-26T00:00Z')).toBe(0);
  });
});

test('random records: counts and numbers agree with those made in another way', () => {
  const spread = (records: readonly AuditRecord[]): AuditRecord[] =>
    records
      .map((record) => ({ ...record, time: window.from - 86_400_000 + (record.time % (3 * 86_400_000)) }))
      .sort((one, other) => one.time - other.time)
      .map((record, seq) => ({ ...record, seq }));
  fc.assert(
    fc.property(anyRecords.map(spread), (records) => {
      const incident = collectIncident(records, window);
      const tries = records.filter(
        ({ event, time }) => (event === 'intent' || event === 'denied' || event === 'auth_failed') && window.from <= time && time < window.to,
      );
      // Random outcomes belong to no intent.
      expect(incident.hosts.reduce((sum, { requests }) => sum + requests, 0)).toBe(tries.length);
      for (const { requests, answered, cancelled, refused, failed, open } of incident.keys)
        expect(answered + cancelled + refused + failed + open).toBe(requests);
      expect(incident.unknown.open).toBe(tries.filter(({ event }) => event === 'intent').length);
      const glass = records.filter(({ event, time }) => (event === 'break_glass' || event === 'key_opened') && window.from <= time && time < window.to);
      expect(incident.records).toEqual([...tries, ...glass].map(({ seq }) => seq).sort((one, other) => one - other));
      expect(incident.administration).toHaveLength(records.filter((record) => 'by' in record && window.from <= record.time && record.time < window.to).length);
      expect(JSON.parse(JSON.stringify(incident))).toEqual(incident);
    }),
  );
});
