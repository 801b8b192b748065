/** The summary of a period: a week by hand, and random records against counts that are made in another way. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AuditRecord } from '../../../../server/privacy/audit/events.ts';
import { type Summary, summarize } from '../../../../server/privacy/audit/report.ts';
import { anyRecords } from './any-record.ts';
import { Story } from './story.ts';

// 2026-11-23 is a Monday.
const period = { from: Date.parse('2026-11-23T00:00Z'), to: Date.parse('2026-11-30T00:00Z') };
const none = { answered: 0, cancelled: 0, refused: 0, failed: 0, open: 0 };

describe('a week by hand', () => {
  const story = new Story();
  // History.
  story.add('2026-11-16T07:00Z', { event: 'started', kind: 'server', mode: 'phi', version: '0.1.0', profile: '0'.repeat(64) });
  story.intent('2026-11-20T10:00Z', 1).outcome('2026-11-20T10:01Z', 1);
  story.add('2026-11-22T23:00Z', { event: 'gate_closed' });
  story.intent('2026-11-22T23:59Z', 2);
  // The week.
  story.outcome('2026-11-23T00:01Z', 2);
  story.add('2026-11-23T01:00Z', { event: 'gate_opened', agreement: 'agr-00000001' });
  story.intent('2026-11-23T10:00Z', 3).outcome('2026-11-23T10:01Z', 3);
  story.intent('2026-11-23T23:59Z', 4).outcome('2026-11-24T00:01Z', 4, 'failed', { error: 'internal' });
  story.intent('2026-11-24T10:00Z', 5, { key: 'bbbbbbbbbb', tenant: 'icu', purpose: 'coding' }).outcome('2026-11-24T10:01Z', 5, 'cancelled');
  story
    .intent('2026-11-24T10:30Z', 6, { key: 'bbbbbbbbbb', tenant: 'icu', purpose: 'coding' })
    .outcome('2026-11-24T10:31Z', 6, 'refused', { refusal: 'quota_exceeded' });
  story.intent('2026-11-24T10:45Z', 7);
  story.add('2026-11-25T09:00Z', { event: 'denied', route: '/v1/completions', refusal: 'purpose_denied', key: 'bbbbbbbbbb' });
  story.add('2026-11-25T09:01Z', { event: 'denied', route: '/v1/completions', refusal: 'purpose_denied' });
  for (let index = 0; index < 10; index++) {
    story.add(`2026-11-25T12:0${index}:00Z`, { event: 'auth_failed', route: '/v1/completions', refusal: 'key_invalid', address: '10.9.9.9' });
    if (index < 9) story.add(`2026-11-25T12:0${index}:30Z`, { event: 'auth_failed', route: '/v1/completions', refusal: 'key_invalid', address: '10.9.9.8' });
  }
  story.add('2026-11-26T02:00Z', { event: 'break_glass', key: 'cccccccccc', address: '10.1.1.1' });
  story.add('2026-11-26T08:00Z', { event: 'key_revoked', by: 'anna', at: Date.parse('2026-11-26T08:00Z'), key: 'cccccccccc', from: 0 });
  story.add('2026-11-27T08:00Z', { event: 'audit_stopped', cause: 'space' });
  story.add('2026-11-27T08:10Z', { event: 'audit_resumed', cause: 'space', duration: 1024 });
  story.add('2026-11-28T08:00Z', { event: 'started', kind: 'server', mode: 'closed', version: '0.1.0', profile: '0'.repeat(64) });
  story.outcome('2026-11-28T08:00:01Z', 7, 'crashed');
  // Later.
  story.intent('2026-11-30T00:00Z', 8);
  const summary = summarize(story.records, period);

  test('requests, each on the day on which it began', () => {
    expect(summary.total).toEqual({ requests: 7, answered: 1, cancelled: 1, refused: 3, failed: 2, open: 0 });
    expect(summary.days.map(({ name, requests }) => [name, requests])).toEqual([
      ['2026-11-23', 2],
      ['2026-11-24', 3],
      ['2026-11-25', 2],
      ['2026-11-26', 0],
      ['2026-11-27', 0],
      ['2026-11-28', 0],
      ['2026-11-29', 0],
    ]);
    expect(summary.days[0]).toEqual({ ...none, name: '2026-11-23', requests: 2, answered: 1, failed: 1 });
  });

  test('by tenant, key and purpose, as far as they are known', () => {
    expect(summary.keys).toEqual([
      { ...none, name: 'aaaaaaaaaa', requests: 3, answered: 1, failed: 2 },
      { ...none, name: 'bbbbbbbbbb', requests: 3, cancelled: 1, refused: 2 },
    ]);
    expect(summary.tenants.map(({ name, requests }) => [name, requests])).toEqual([
      ['cardiology', 3],
      ['icu', 3],
    ]);
    expect(summary.purposes.map(({ name, requests }) => [name, requests])).toEqual([
      ['documentation', 3],
      ['coding', 2],
    ]);
  });

  test('failures by address and hour, refusals by code', () => {
    expect(summary.failures.map(({ address, hour, count }) => [address, hour, count])).toEqual([
      ['10.9.9.9', '2026-11-25T12:00:00.000Z', 10],
      ['10.9.9.8', '2026-11-25T12:00:00.000Z', 9],
    ]);
    expect(summary.refusals).toEqual([
      { name: 'key_invalid', count: 19 },
      { name: 'purpose_denied', count: 2 },
    ]);
  });

  test('hours and keys', () => {
    expect(summary.hours[0]?.[10]).toBe(1);
    expect(summary.hours[0]?.[23]).toBe(1);
    expect(summary.hours[1]?.[10]).toBe(3);
    expect(summary.hours.flat().reduce((sum, count) => sum + count)).toBe(5);
    expect(summary.busiest[0]).toEqual({ name: '2026-11-24 10:00', count: 3 });
    expect(summary.newKeys).toEqual(['bbbbbbbbbb']);
  });

  test('lists of what happened', () => {
    expect(summary.breakGlass).toEqual([
      { seq: expect.any(Number), time: '2026-11-26T02:00:00.000Z', event: 'break_glass', fields: { key: 'cccccccccc', address: '10.1.1.1' } },
    ]);
    expect(summary.changes.map(({ event, fields }) => [event, fields['by']])).toEqual([['key_revoked', 'anna']]);
    expect(summary.process.map(({ event }) => event)).toEqual(['started']);
    expect(summary.trail.map(({ event }) => event)).toEqual(['audit_stopped', 'audit_resumed']);
    expect(summary.withoutTrail).toEqual([{ from: '2026-11-27T08:00:00.000Z', to: '2026-11-27T08:10:00.000Z', cause: 'space' }]);
    // The second one lasts: it was started without an agreement.
    expect(summary.withoutAgreement).toEqual([{ from: '2026-11-22T23:00:00.000Z', to: '2026-11-23T01:00:00.000Z' }, { from: '2026-11-28T08:00:00.000Z' }]);
  });

  test('what stands out', () => {
    expect(summary.findings.map(({ finding, subject, count }) => [finding, subject, count])).toEqual([
      ['break-glass', 'key cccccccccc', 1],
      ['repeated-failures', 'address 10.9.9.9', 10],
      ['new-key', 'key bbbbbbbbbb', 1],
      ['crashed', 'requests', 1],
      ['not-stopped', 'the server', 1],
      ['trail-stopped', 'the trail (space)', 1],
    ]);
  });

  test('without history no key is new', () => {
    const { newKeys, findings, history } = summarize(
      story.records.filter(({ time }) => time >= period.from),
      period,
    );
    expect([newKeys, history]).toEqual([[], 0]);
    expect(findings.some(({ finding }) => finding === 'new-key')).toBe(false);
  });
});

describe('nights', () => {
  const days = (story: Story, count: number): Story => {
    for (let index = 0; index < count; index++) story.intent(`2026-11-2${3 + (index % 4)}T12:00Z`, index);
    return story;
  };
  const found = (story: Story): string[] => summarize(story.records, period).findings.map(({ finding, subject, count }) => `${finding} ${subject} ${count}`);

  test('a single night of a key that is used by day', () => {
    // Both belong to the night that began on the 27th.
    expect(found(days(new Story(), 20).intent('2026-11-27T22:00Z', 100).intent('2026-11-28T05:59Z', 101))).toEqual(['night-use key aaaaaaaaaa 2']);
  });
  test('one request by day less, and too little is known', () => expect(found(days(new Story(), 19).intent('2026-11-27T22:00Z', 100))).toEqual([]));
  test('two nights are a habit', () => expect(found(days(new Story(), 20).intent('2026-11-26T22:00Z', 100).intent('2026-11-27T23:00Z', 101))).toEqual([]));
  test('six in the morning is day', () => expect(found(days(new Story(), 20).intent('2026-11-27T06:00Z', 100))).toEqual([]));
  test('by the clock on the wall of the site', () => {
    // 05:00 UTC is 23:00 in Chicago, and 12:00 UTC is 6:00.
    const story = days(new Story(), 20).intent('2026-11-27T05:00Z', 100);
    const { findings } = summarize(story.records, { ...period, timeZone: 'America/Chicago' });
    expect(findings.map(({ finding }) => finding)).toEqual(['night-use']);
  });
});

describe('spans', () => {
  const spans = (story: Story): Pick<Summary, 'withoutTrail' | 'withoutAgreement'> => summarize(story.records, period);

  test('a stop of which only the end is known', () => {
    const story = new Story().add('2026-11-24T08:10Z', { event: 'audit_resumed', cause: 'stall', duration: 1024 });
    expect(spans(story).withoutTrail).toEqual([{ to: '2026-11-24T08:10:00.000Z', cause: 'stall' }]);
  });
  test('those that ended before the period or began after it do not count', () => {
    const story = new Story().add('2026-11-20T00:00Z', { event: 'gate_closed' }).add('2026-11-21T00:00Z', { event: 'gate_opened' });
    story.add('2026-11-30T00:00Z', { event: 'gate_closed' });
    expect(spans(story).withoutAgreement).toEqual([]);
  });
  test('a server that has stopped lacks no agreement', () => {
    const story = new Story().add('2026-11-24T00:00Z', { event: 'gate_closed' }).add('2026-11-25T00:00Z', { event: 'stopped', kind: 'server' });
    expect(spans(story).withoutAgreement).toEqual([{ from: '2026-11-24T00:00:00.000Z', to: '2026-11-25T00:00:00.000Z' }]);
  });
});

test('an attacker with many addresses fills no memory', () => {
  const records = function* (): Generator<AuditRecord> {
    for (let seq = 0; seq < 12_000; seq++) {
      const place = { seq, time: period.from + seq, up: seq, boot: '11111111-2222-4333-8444-555555555555', host: '00112233445566aa' };
      yield { ...place, event: 'auth_failed', route: '/v1/models', refusal: 'key_invalid', address: `fd00::${seq.toString(16)}` };
    }
  };
  const { failures } = summarize(records(), period);
  expect(failures[0]).toMatchObject({ address: 'more', count: 2000 });
  expect(failures).toHaveLength(10_001);
});

test('random records: sums agree with counts that are made in another way', () => {
  const spread = (records: readonly AuditRecord[]): AuditRecord[] =>
    records
      .map((record) => ({ ...record, time: period.from - 7 * 86_400_000 + (record.time % (21 * 86_400_000)) }))
      .sort((one, other) => one.time - other.time);
  fc.assert(
    fc.property(anyRecords.map(spread), fc.constantFrom('UTC', 'Asia/Kathmandu', 'America/Chicago'), (records, timeZone) => {
      const summary = summarize(records, { ...period, timeZone });
      const inside = records.filter(({ time }) => period.from <= time && time < period.to);
      const has = (...names: readonly string[]): number => inside.filter(({ event }) => names.includes(event)).length;
      const sum = (tallies: readonly { readonly requests: number }[]): number => tallies.reduce((all, { requests }) => all + requests, 0);
      expect(summary.records).toBe(inside.length);
      expect(summary.history).toBe(records.filter(({ time }) => time < period.from).length);
      expect(summary.total.requests).toBe(has('intent', 'denied'));
      for (const { requests, answered, cancelled, refused, failed, open } of [summary.total, ...summary.days, ...summary.keys]) {
        expect(answered + cancelled + refused + failed + open).toBe(requests);
      }
      expect(sum(summary.days)).toBe(summary.total.requests);
      expect(sum(summary.purposes)).toBe(has('intent'));
      expect(summary.hours.flat().reduce((all, count) => all + count, 0)).toBe(has('intent'));
      expect(summary.events.reduce((all, { count }) => all + count, 0)).toBe(inside.length);
      expect(summary.failures.reduce((all, { count }) => all + count, 0)).toBe(has('auth_failed'));
      expect(summary.refusals.reduce((all, { count }) => all + count, 0)).toBe(has('auth_failed', 'denied'));
      expect(summary.breakGlass).toHaveLength(has('break_glass', 'key_opened'));
    }),
  );
});

test('a time zone that is not known is refused', () => {
  expect(() => summarize([], { ...period, timeZone: 'Mars/Olympus' })).toThrow('The time zone is not known');
});
