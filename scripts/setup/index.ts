/** What set-up offers to the command line: a device that works, the default model, and a look at what is here. */
export { ensureDevice } from './device.ts';
export { type Inspection, inspectMachine } from './inspect.ts';
export { ensureDefaultModel } from './model.ts';
