/**
 * `node scripts/lock/run.ts`, after every change of dependencies: adds to package-lock.json the builds for other
 * platforms that npm left out. npm drops an optional package that the registry at hand (a partial mirror) does not
 * have, and `npm ci` then refuses the lock everywhere. Versions are those that the locked packages name, exactly.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../node.mjs';
import { completeLock, type Lock } from './complete.ts';

const path = join(root, 'package-lock.json');
const { lock, added } = completeLock(JSON.parse(readFileSync(path, 'utf8')) as Lock);
if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length > 0 ? `added to package-lock.json:\n${added.join('\n')}` : 'package-lock.json is complete');
