/** `npm run check`: installs what is missing, then goes on in scripts/check/run.ts under Node 24. */
import { join } from 'node:path';
import { continueUnderNode, fail, root } from './node.mjs';
import { ensurePackages } from './setup.mjs';

await ensurePackages({ development: true }).catch(fail);
await continueUnderNode([join(root, 'scripts', 'check', 'run.ts'), ...process.argv.slice(2)]);
