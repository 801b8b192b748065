/** Which addresses something of ours may connect to. */
import { expect, test } from 'vitest';
import { parseAddress } from '../../../server/privacy/address.ts';

test.each(['https://hub.example.org', 'https://hub.example.org:8443/mirror/', 'http://127.0.0.1:80', 'http://127.9.9.9/x', 'http://[::1]:9000'])('%s', (text) =>
  expect(parseAddress(text)?.href).toBe(new URL(text).href),
);

test.each([
  ...[
    '',
    'hub.example.org',
    'http://hub.example.org',
    'http://localhost',
    'http://10.0.0.1',
    'http://[::2]',
    'ftp://127.0.0.1',
    'file:///x',
    'HTTPS://hub.example.org',
  ],
  ...[
    'https://user@hub.example.org',
    'https://u:p@hub.example.org',
    'https://hub.example.org?x',
    'https://hub.example.org/#x',
    'https://hub example.org',
    'https://[',
    'https://hub.example.org\n',
  ],
])('not %j', (text) => expect(parseAddress(text)).toBeUndefined());
