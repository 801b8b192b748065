/** Where a key may be used from. */
import { isIPv4 } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkSchema } from '../../../server/privacy/grants.ts';
import { createNetworkCheck } from '../../../server/privacy/networks.ts';

test.each([
  [['10.1.0.0/16'], '10.1.0.0', true],
  [['10.1.0.0/16'], '10.1.255.255', true],
  [['10.1.0.0/16'], '10.0.255.255', false],
  [['10.1.0.0/16'], '10.2.0.0', false],
  [['10.1.2.3'], '10.1.2.3', true],
  [['10.1.2.3'], '10.1.2.4', false],
  [['10.1.2.3/32', '192.168.0.0/31'], '192.168.0.1', true],
  [['10.1.2.3/32', '192.168.0.0/31'], '192.168.0.2', false],
  [['0.0.0.0/0'], '203.0.113.7', true],
  [['0.0.0.0/0'], '2001:db8::1', false],
  [['2001:db8::/32'], '2001:db8:ffff::1', true],
  [['2001:db8::/32'], '2001:db9::1', false],
  [['2001:db8::7'], '2001:DB8:0:0::7', true],
  [['2001:db8::7'], '2001:db8::8', false],
  [['::1'], '::1', true],
  [['::1'], '127.0.0.1', false],
  [['::/0'], '2001:db8::1', true],
])('%j admits %s: %s', (networks, address, expected) => expect(createNetworkCheck(networks)(address)).toBe(expected));

test('IPv4 as a socket for both families tells it', () => {
  const check = createNetworkCheck(['10.1.0.0/16']);
  expect(check('::ffff:10.1.2.3')).toBe(true);
  expect(check('::FFFF:10.1.2.3')).toBe(true);
  expect(check('::ffff:10.2.2.3')).toBe(false);
});

test('a network of IPv6 admits no address of IPv4, however it is told', () => {
  const check = createNetworkCheck(['::/0', '::ffff:0.0.0.0/96']);
  expect(check('10.1.2.3')).toBe(false);
  expect(check('::ffff:10.1.2.3')).toBe(false);
});

test('an address with its interface', () => {
  const check = createNetworkCheck(['fe80::/10']);
  expect(check('fe80::1%eth0')).toBe(true);
  expect(check('2001:db8::1%eth0')).toBe(false);
});

test.each(['', 'localhost', '10.1.2', '10.1.2.3.4', '10.1.2.3/16', '::ffff:', '%eth0', ' 10.1.2.3', '010.001.002.003', '::g'])(
  '"%s" is no address',
  (address) => {
    expect(createNetworkCheck(['0.0.0.0/0', '::/0'])(address)).toBe(false);
  },
);

test('without networks every address is admitted', () => {
  const check = createNetworkCheck([]);
  for (const address of ['10.1.2.3', '::1', '2001:db8::1']) expect(check(address)).toBe(true);
});

test('it is what arithmetic on 32 bits says', () => {
  const address = fc.ipV4();
  const bits = (text: string): number => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), address, fc.integer({ min: 0, max: 32 }), (network, prefix, other, flipped) => {
      const size = 2 ** (32 - prefix);
      // One that differs in a single bit is near the edge more often than a random one.
      const near = flipped === 0 ? bits(network) : (bits(network) ^ (2 ** (flipped - 1))) >>> 0;
      const nearText = [24, 16, 8, 0].map((shift) => (near >>> shift) & 255).join('.');
      expect(isIPv4(nearText)).toBe(true);
      const check = createNetworkCheck([`${network}/${prefix}`]);
      for (const text of [other, nearText]) expect(check(text)).toBe(Math.floor(bits(text) / size) === Math.floor(bits(network) / size));
    }),
    { seed: 7, numRuns: 500 },
  );
});

test.each([
  '10.1.0.0/33',
  '10.1.0.0/',
  '10.1.0.0/-1',
  '10.1.0.0/1e1',
  '10.1.0.0/16/16',
  '::/129',
  'fe80::1%eth0',
  'fe80::1%john.smith/64',
  'example.org',
  '',
  '/8',
  // IPv4 in the clothes of IPv6 would admit nobody.
  '::ffff:10.0.0.0/104',
  '::FFFF:a00:0/104',
  '0:0:0:0:0:ffff:10.1.2.3',
])('"%s" is no network', (text) => expect(networkSchema.safeParse(text).success).toBe(false));
