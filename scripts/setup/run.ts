/** `node scripts/setup.mjs`: everything that `npm start` would set up, and what there is then. */
import { fail, followParent } from '../node.mjs';
import { ensureDefaultModel, ensureDevice } from './index.ts';

followParent();
try {
  const driver = await ensureDevice();
  console.log(`device: ${driver.name} (${driver.reason})`);
  console.log(`model:  ${await ensureDefaultModel()}`);
} catch (error) {
  fail(error);
}
