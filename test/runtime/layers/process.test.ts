import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the try to write touches no file that others have put where it would write', async ({ skip }) => {
  skip(process.platform !== 'linux', 'only Linux has layers to try');
  const folder = mkdtempSync(join(tmpdir(), 'inward-layers-'));
  try {
    const [kept, target] = [join(folder, 'kept'), join(folder, 'target')];
    writeFileSync(kept, 'text');
    symlinkSync(kept, target);
    const program = fileURLToPath(new URL('../../../runtime/layers/process.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [program, target], { timeout: 20_000 });
    expect(JSON.parse(stdout)).toMatchObject({ outcomes: { file: 'EEXIST' } });
    expect(readFileSync(kept, 'utf8')).toBe('text');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
