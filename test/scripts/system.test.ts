import { expect, test } from 'vitest';
import { parseSimulation } from '../../scripts/setup/lavapipe.ts';
import { chooseAptSources, parseRelease } from '../../scripts/setup/system.ts';

test('os-release: Debian, Ubuntu, a system made from Ubuntu, another family', () => {
  expect(parseRelease('ID=debian\nVERSION_CODENAME=bookworm\n')).toEqual({ isDebianFamily: true, codename: 'bookworm' });
  expect(parseRelease('ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble')).toEqual({ isDebianFamily: true, codename: 'noble' });
  expect(parseRelease('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy')).toEqual({
    isDebianFamily: true,
    codename: 'jammy',
  });
  expect(parseRelease('ID="rhel"\nID_LIKE="fedora"\nVERSION_CODENAME=""')).toEqual({ isDebianFamily: false, codename: undefined });
});

test('os-release: what is no plain word does not become a part of a source list', () => {
  for (const text of [
    '',
    'VERSION_CODENAME',
    '# comment',
    'VERSION_CODENAME="bookworm main\\ndeb http://x y"',
    "VERSION_CODENAME='../..'",
    'VERSION_CODENAME=bookworm [trusted=yes]',
  ])
    expect(parseRelease(text).codename).toBeUndefined();
});

const targets = `http://mirror.test/debian/ bookworm main
http://mirror.test/debian/ bookworm contrib
http://mirror.test/debian/ bookworm-updates main
http://mirror.test/debian-security/ bookworm-security main
https://vendor.test/tools bookworm main
https://vendor.test/debian/12/prod/ bookworm main
`;

test('apt sources: the distribution mirror that the machine uses, with backports on bookworm, no other vendor', () => {
  expect(chooseAptSources(targets, 'bookworm')).toEqual([
    { uri: 'http://mirror.test/debian/', suite: 'bookworm', components: ['main'] },
    { uri: 'http://mirror.test/debian/', suite: 'bookworm-backports', components: ['main'] },
    { uri: 'http://mirror.test/debian/', suite: 'bookworm-updates', components: ['main'] },
    { uri: 'http://mirror.test/debian-security/', suite: 'bookworm-security', components: ['main'] },
  ]);
});

test('apt sources: a newer suite needs no backports, Ubuntu has main and universe', () => {
  expect(chooseAptSources('http://m.test/debian trixie main\nhttp://m.test/debian trixie-backports main', 'trixie')).toEqual([
    { uri: 'http://m.test/debian', suite: 'trixie', components: ['main'] },
  ]);
  expect(chooseAptSources('http://m.test/ubuntu/ noble main\nhttp://m.test/ubuntu/ noble universe\nhttp://m.test/ubuntu/ noble multiverse', 'noble')).toEqual([
    { uri: 'http://m.test/ubuntu/', suite: 'noble', components: ['main', 'universe'] },
  ]);
  expect(chooseAptSources('', 'noble')).toEqual([]);
});

test("apt's simulated install: name, version and architecture of each package", () => {
  const output = `Reading package lists...
Inst libx11-data (2:1.8.4-2+deb12u2 Debian:12.15/oldstable [all])
Inst libdrm2 [2.4.114-1+b1] (2.4.123-1~bpo12+1 Debian Backports:oldstable-backports [amd64]) []
Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])
Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
`;
  expect(parseSimulation(output)).toEqual([
    { name: 'libx11-data', version: '2:1.8.4-2+deb12u2', architecture: 'all' },
    { name: 'libdrm2', version: '2.4.123-1~bpo12+1', architecture: 'amd64' },
    { name: 'libc6', version: '2.36-9+deb12u14', architecture: 'amd64' },
  ]);
});
