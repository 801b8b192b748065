/**
 * A process that runs a command over fakes, for tests that need real signals or a terminal. Usage: serve-fake.ts ARGUMENTS
 */
import { runCommand } from '../../server/cli/index.ts';
import { createProcessWorld } from '../../server/world.ts';
import { say } from '../fake-text.ts';
import { FakeWorld } from './fake-world.ts';

const fake = new FakeWorld({ script: say('x'.repeat(3000)), stepMs: 5 });
const { in: input, out, err, signals, folder, environment, nodeFlags } = createProcessWorld();
Object.assign(fake, { in: input, out, err, signals, folder, environment, nodeFlags });
process.exitCode = await runCommand(process.argv.slice(2), fake);
