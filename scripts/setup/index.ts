/** What set-up offers to the command line: a device that works and the default model. */
export { ensureDevice } from './device.ts';
export { ensureDefaultModel } from './model.ts';
