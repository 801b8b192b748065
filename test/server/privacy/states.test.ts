/** States of keys, and PHI never beside synthetic data. */
import { describe, expect, test } from 'vitest';
import type { AgreementKind } from '../../../server/privacy/agreement.ts';
import type { AccessKey } from '../../../server/privacy/grants.ts';
import { createSecret } from '../../../server/privacy/keys.ts';
import { breakGlassMs, checkDataClass, isLive, judgeKey, type KeyState } from '../../../server/privacy/states.ts';
import type { StoredRecord } from '../../../server/privacy/store.ts';
import type { DataClass } from '../../../server/privacy/words.ts';

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
  const agreement = (kind: AgreementKind, more: Partial<StoredRecord> = {}, expires = '2027-02-01T00:00:00Z'): StoredRecord => ({
    envelope: { type: 'inward.agreement.v1', record: { id: `agr-${kind.replace('-', '')}`, kind, effective: '2027-01-01T00:00:00Z', expires }, signatures: [] },
    addedAt: 0,
    addedBy: 'carl',
    ...more,
  });
  const check =
    (data: DataClass, agreements: StoredRecord[], keys: AccessKey[] = []): (() => void) =>
    () =>
      checkDataClass(data, { agreements, keys }, now);

  test('where nothing is, both begin', () => {
    expect(check('phi', [])).not.toThrow();
    expect(check('synthetic', [])).not.toThrow();
  });

  test('beside an agreement of the other class', () => {
    expect(check('phi', [agreement('synthetic')])).toThrow(
      'A key for PHI cannot be beside the agreement agr-synthetic, which is for synthetic data: revoke that first (inward agreement revoke agr-synthetic).',
    );
    for (const kind of ['baa', 'self-operated'] as const) {
      expect(check('synthetic', [agreement(kind)])).toThrow(
        /^A key for synthetic data cannot be beside the agreement .*, which is for PHI: evaluate on a site of its own/,
      );
      expect(check('phi', [agreement(kind)])).not.toThrow();
    }
    expect(check('synthetic', [agreement('synthetic')])).not.toThrow();
  });

  test('one that is over is none; one that begins later is one', () => {
    expect(check('phi', [agreement('synthetic', { revokedAt: now, revokedBy: 'setup' })])).not.toThrow();
    expect(check('phi', [agreement('synthetic', {}, '2027-01-04T12:00:00Z')])).not.toThrow();
    expect(check('phi', [agreement('synthetic', {}, '2027-01-04T12:00:01Z')])).toThrow();
    expect(check('phi', [agreement('synthetic', { revokedAt: now + 1, revokedBy: 'setup' })])).toThrow();
    const later = { ...agreement('baa').envelope, record: { ...agreement('baa').envelope.record, effective: '2027-01-20T00:00:00Z' } };
    expect(check('synthetic', [agreement('baa', { envelope: later })])).toThrow();
  });

  test('beside a key of the other class, as long as it is taken', () => {
    const [phi, synthetic] = [createKey('phi'), createKey('synthetic')];
    expect(check('phi', [], [synthetic])).toThrow(
      `A key for PHI cannot be beside the key ${synthetic.id}, which is for synthetic data: revoke that first (inward key revoke ${synthetic.id}).`,
    );
    expect(check('synthetic', [], [phi])).toThrow(/^A key for synthetic data cannot be beside the key/);
    expect(check('phi', [], [phi])).not.toThrow();
    expect(check('phi', [], [createKey('synthetic', { revokedAt: now, revokedBy: 'anna' })])).not.toThrow();
    expect(check('phi', [], [createKey('synthetic', { revokedAt: now + 1, revokedBy: 'anna' })])).toThrow();
    expect(check('phi', [], [createKey('synthetic', { expiresAt: now })])).not.toThrow();
    expect(check('synthetic', [], [createKey('phi', { isSealed: true })])).toThrow();
  });
});
