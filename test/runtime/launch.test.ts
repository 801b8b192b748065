/** A Python that is there and does not run is as good as none: what is started must come up without it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { canLock, findPython } from '../../runtime/launch.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-python-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test('one that ends with an error, is no program, or may not be run', () => {
  expect(canLock(write('broken', '#!/bin/sh\nexit 1\n'))).toBe(false);
  expect(canLock(write('library', '#!/nowhere/python3\n'))).toBe(false);
  expect(canLock(write('plain', 'text', 0o600))).toBe(false);
  expect(canLock(join(folder, 'none'))).toBe(false);
});

test('one that runs and lacks what the helper imports', (context) => {
  const python = findPython();
  if (python === undefined) return context.skip('needs Linux with Python 3 at /usr/bin or /usr/local/bin');
  expect(canLock(python)).toBe(true);
  // As a minimal installation: what is imported fails.
  expect(canLock(write('minimal', `#!/bin/sh\nexec ${python} -c 'import _there_is_no_such_part' "$@"\n`))).toBe(false);
});
