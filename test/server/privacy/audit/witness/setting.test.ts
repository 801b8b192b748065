/** The forms of the setting auditWitness. */
import { expect, test } from 'vitest';
import { parseWitness } from '../../../../../server/privacy/audit/witness/setting.ts';

test.each([
  ['file:/mnt/second/checkpoints', { kind: 'file', path: '/mnt/second/checkpoints' }],
  ['command:/usr/local/bin/keep', { kind: 'command', path: '/usr/local/bin/keep' }],
  ['https://witness.example.org', { kind: 'http', destination: 'witness.example.org:443' }],
  ['https://WITNESS.example.org:8089/a/', { kind: 'http', destination: 'witness.example.org:8089' }],
  ['http://127.0.0.1:8089', { kind: 'http', destination: '127.0.0.1:8089' }],
  ['http://127.0.0.1', { kind: 'http', destination: '127.0.0.1:80' }],
  ['http://[::1]:8089/x', { kind: 'http', destination: '[::1]:8089' }],
])('%s is taken', (text, expected) => expect(parseWitness(text)).toMatchObject(expected));

test.each([
  ...['', 'file:', 'file:relative', 'file:/', 'command:keep', 'command:/a\0b', '/mnt/second', 'ftp://a.example.org/'],
  ...['http://witness.example.org', 'http://localhost:1', 'http://10.0.0.1:1', 'http://[::2]:1'],
  ...['https://user@a.example.org', 'https://a.example.org/?x=1', 'https://a.example.org/#x', 'https://', ' https://a.example.org', 'https://a b/'],
])('%j is refused', (text) => expect(parseWitness(text)).toBeUndefined());
