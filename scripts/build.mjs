/** `npm run build`: installs what is missing, then goes on in scripts/build/run.ts under Node 24. */
import { join } from 'node:path';
import { continueUnderNode, fail, root } from './node.mjs';
import { ensurePackages } from './setup.mjs';

await ensurePackages({ development: true }).catch(fail);
await continueUnderNode([join(root, 'scripts', 'build', 'run.ts'), ...process.argv.slice(2)]);
