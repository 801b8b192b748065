#!/usr/bin/env node
/**
 * The command `inward`. Plain JavaScript that any Node from 20 on can read: installs the locked packages of a
 * fresh clone, goes on under the packaged Node if the running one is too old, and hands over to server/cli:
 * TypeScript in a clone, JavaScript in the built package.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cacheCompiledCode, continueUnderNode, fail, followParent, forbidCores, isRecent, keepHeapSmall, overwriteFreed } from '../scripts/node.mjs';
import { ensurePackages } from '../scripts/setup.mjs';

followParent();
await ensurePackages().catch(fail);
if (!isRecent()) await continueUnderNode([fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
overwriteFreed();
forbidCores();
keepHeapSmall();
cacheCompiledCode();
const source = new URL('../server/cli/index.ts', import.meta.url);
const { main } = await import(existsSync(source) ? source : new URL('../server/cli/index.js', import.meta.url));
await main(process.argv.slice(2));
