/** States of keys, and PHI never beside synthetic data. */
import { describe, expect, test } from 'vitest';
import type { Agreement } from '../../../server/privacy/agreement.ts';
import type { AccessKey } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { breakGlassMs, checkDataClass, isLive, judgeKey, type KeyState } from '../../../server/privacy/states.ts';
import type { StoredRecord } from '../../../server/privacy/store.ts';
import type { DataClass } from '../../../server/privacy/words.ts';
import { baa, selfOperated, stored, synthetic, wrap } from './records.ts';

const now = Date.parse('2027-01-04T12:00:00Z');

function createKey(data: DataClass, more: Partial<AccessKey> = {}): AccessKey {
  const { id, credential } = createSecret(data);
  const scopes = { models: [], routes: ['chat'], purposes: ['coding'], networks: [], priority: 'interactive' } as const;
  return { id, label: 'a', tenant: 'main', data, scopes, credential, isSealed: false, createdAt: 0, createdBy: 'anna', ...more };
}

test('a break-glass key is taken for four hours', () => expect(breakGlassMs).toBe(4 * 60 * 60 * 1000));

test.each<[KeyState, Partial<AccessKey>]>([
  ['valid', {}],
  ['valid', { expiresAt: now + 1 }],
  ['expired', { expiresAt: now }],
  ['revoked', { revokedAt: now, revokedBy: 'anna' }],
  ['revoked', { revokedAt: now, revokedBy: 'anna', expiresAt: now, isSealed: true, openedAt: now }],
  ['ending', { revokedAt: now + 1, revokedBy: 'anna' }],
  ['sealed', { isSealed: true }],
  ['expired', { isSealed: true, expiresAt: now }],
  ['open', { isSealed: true, openedAt: now }],
  ['open', { isSealed: true, openedAt: now - breakGlassMs + 1 }],
  ['spent', { isSealed: true, openedAt: now - breakGlassMs }],
])('%s: %j', (state, more) => {
  expect(judgeKey(createKey('phi', more), now)).toBe(state);
  expect(isLive(createKey('phi', more), now)).toBe(['valid', 'ending', 'sealed', 'open'].includes(state));
});

describe('classes of data', () => {
  const check =
    (data: DataClass, agreements: StoredRecord[], keys: AccessKey[] = []): (() => void) =>
    () =>
      checkDataClass(data, { agreements, keys }, now);

  test('where nothing is, both begin', () => {
    expect(check('phi', [])).not.toThrow();
    expect(check('synthetic', [])).not.toThrow();
  });

  const put = (agreement: Agreement, revokedAt?: number): StoredRecord => stored(wrap(agreement), revokedAt);
  const trial: Agreement = { ...synthetic, effective: '2027-01-01T00:00:00Z', expires: '2027-01-20T00:00:00Z' };

  test('beside an agreement of the other class', () => {
    expect(check('phi', [put(trial)])).toThrow(
      'A key for PHI cannot be beside the agreement agr-00000003, which is for synthetic data: revoke that first (inward agreement revoke agr-00000003).',
    );
    for (const agreement of [baa, selfOperated]) {
      expect(check('synthetic', [put(agreement)])).toThrow(
        `A key for synthetic data cannot be beside the agreement ${agreement.id}, which is for PHI: evaluate on a site of its own (--site).`,
      );
      expect(check('phi', [put(agreement)])).not.toThrow();
    }
    expect(check('synthetic', [put(trial)])).not.toThrow();
  });

  test('one that is over is none; one that begins later is one', () => {
    expect(check('phi', [put(trial, now)])).not.toThrow();
    expect(check('phi', [put(trial, now + 1)])).toThrow();
    expect(check('phi', [put({ ...trial, expires: '2027-01-04T12:00:00Z' })])).not.toThrow();
    expect(check('phi', [put({ ...trial, expires: '2027-01-04T12:00:01Z' })])).toThrow();
    expect(check('synthetic', [put({ ...baa, effective: '2027-01-20T00:00:00Z' })])).toThrow();
    // An evergreen one ends with its day of review.
    expect(check('synthetic', [put({ ...baa, expires: undefined, review: '2027-01-04' })])).toThrow();
    expect(check('synthetic', [put({ ...baa, expires: undefined, review: '2027-01-03' })])).not.toThrow();
  });

  test('a record that cannot be read admits neither', () => {
    const broken = [stored(wrap({ ...baa, purposes: [] }))];
    for (const data of ['phi', 'synthetic'] as const) expect(check(data, broken)).toThrow(/^The agreement cannot be used/);
  });

  test('beside a key of the other class that was not revoked, also when it has expired', () => {
    const [phi, trialKey] = [createKey('phi'), createKey('synthetic')];
    expect(check('phi', [], [trialKey])).toThrow(
      `A key for PHI cannot be beside the key ${trialKey.id}, which is for synthetic data: revoke that first (inward key revoke ${trialKey.id}).`,
    );
    expect(check('synthetic', [], [phi])).toThrow(/^A key for synthetic data cannot be beside the key/);
    expect(check('phi', [], [phi])).not.toThrow();
    expect(check('phi', [], [createKey('synthetic', { revokedAt: now, revokedBy: 'anna' })])).not.toThrow();
    expect(check('phi', [], [createKey('synthetic', { revokedAt: now + 1, revokedBy: 'anna' })])).toThrow();
    expect(check('phi', [], [createKey('synthetic', { expiresAt: now })])).toThrow();
    expect(check('synthetic', [], [createKey('phi', { isSealed: true })])).toThrow();
  });
});
