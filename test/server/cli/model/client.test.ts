/** Where a hub may send an import. */
import { expect, test } from 'vitest';
import { follow } from '../../../../server/cli/model/client.ts';

const [outside, local] = [new URL('https://hub.example.org/m'), new URL('http://127.0.0.1:8000/m')];

test.each([
  [outside, 'https://store.example.org/x?y=1', 'https://store.example.org/x?y=1'],
  [outside, '/x', 'https://hub.example.org/x'],
  [local, 'http://127.0.0.2:9000/x', 'http://127.0.0.2:9000/x'],
  [local, 'http://[::1]/x', 'http://[::1]/x'],
  [local, 'https://store.example.org/x', 'https://store.example.org/x'],
  [local, 'https://localhost/x', 'https://localhost/x'],
  [outside, 'https://localhost.example.org/x', 'https://localhost.example.org/x'],
  [outside, 'https://notlocalhost/x', 'https://notlocalhost/x'],
  [outside, 'https://10.0.0.1/x', 'https://10.0.0.1/x'],
  [outside, 'https://0.example.org/x', 'https://0.example.org/x'],
  [outside, 'https://[::ffff:7.240.0.1]/x', 'https://[::ffff:7f0:1]/x'],
  [outside, 'https://[::ffff:192.0.2.1]/x', 'https://[::ffff:c000:201]/x'],
  [outside, 'https://[2001:db8::7f00:1]/x', 'https://[2001:db8::7f00:1]/x'],
])('from %s to %s', (base, location, expected) => expect(follow(base, location, base).href).toBe(expected));

test.each([
  [outside, 'http://store.example.org/x'],
  [outside, 'http://127.0.0.1/x'],
  [outside, 'https://127.0.0.1/x'],
  [outside, 'https://[::1]/x'],
  [outside, 'https://0x7f000001/x'],
  [outside, 'https://localhost/x'],
  [outside, 'https://LOCALHOST.:8443/x'],
  [outside, 'https://hub.localhost/x'],
  [outside, 'https://0.0.0.0/x'],
  [outside, 'https://0/x'],
  [outside, 'https://[::]/x'],
  [outside, 'https://[::ffff:7f00:1]/x'],
  [outside, 'https://[::ffff:127.1.2.3]/x'],
  [outside, 'https://[::ffff:0.0.0.0]/x'],
  [local, 'http://store.example.org/x'],
  [local, 'http://localhost/x'],
  [outside, 'https://user@store.example.org/x'],
  [outside, 'data:text/plain,x'],
  [outside, undefined],
])('from %s never to %s', (base, location) => expect(() => follow(base, location, base)).toThrow('sends to an address that is not asked'));
