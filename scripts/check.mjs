/** `npm run check`: installs what is missing, then goes on in scripts/check/run.ts under Node 24. */
import { join } from 'node:path';
import { continueUnderNode, ensurePackages, fail, root } from './setup.mjs';

await ensurePackages({ development: true }).catch(fail);
await continueUnderNode([join(root, 'scripts', 'check', 'run.ts'), ...process.argv.slice(2)]);
