/**
 * A process that runs `inward serve` over fakes, for tests that need real signals. Usage: serve-fake.ts ARGUMENTS
 */
import { runCommand } from '../../server/cli/index.ts';
import { createProcessWorld } from '../../server/world.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';

const fake = new FakeWorld({ script: say('x'.repeat(3000)), stepMs: 5 });
const { out, err, signals } = createProcessWorld();
Object.assign(fake, { out, err, signals, folder: process.cwd(), environment: process.env });
process.exitCode = await runCommand(process.argv.slice(2), fake);
