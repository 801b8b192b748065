/**
 * `npm run build`: writes the package to dist/, from where `npm pack ./dist` makes the tarball. As `prepack` of the clone
 * it refuses to go on: packed from here, the package would hold TypeScript, which Node does not run inside of node_modules.
 */
import { join } from 'node:path';
import { fail, followParent, root } from '../node.mjs';
import { buildPackage } from './package.ts';

followParent();
if (process.argv.includes('--prepack')) fail(new Error('The package is the folder dist, not this one: npm run build && npm pack ./dist'));
const { name, version, fileCount } = await buildPackage(join(root, 'dist')).catch(fail);
console.log(`dist: ${name} ${version}, ${fileCount} files. Next: npm pack ./dist`);
