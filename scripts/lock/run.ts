/**
 * `node scripts/lock/run.ts [FOLDER]`, after every change of dependencies: adds to the package-lock.json of a folder
 * (default: the repository's) the builds for other platforms that npm left out. npm drops an optional package that the
 * registry at hand (a partial mirror) does not have, and `npm ci` then refuses the lock everywhere. Versions are those
 * that the locked packages name, exactly.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../node.mjs';
import { completeLock, type Lock } from './complete.ts';

const path = join(process.argv[2] ?? root, 'package-lock.json');
if (!existsSync(path)) {
  console.error(`Expected a folder with a package-lock.json, found no ${path}. Run npm install there first.`);
  process.exit(2);
}
const { lock, added } = completeLock(JSON.parse(readFileSync(path, 'utf8')) as Lock);
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `added to ${path}:\n${added.join('\n')}` : `${path} is complete`);
