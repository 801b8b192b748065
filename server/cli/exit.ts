/**
 * Owns the exit codes of the command `inward`.
 */

/** `prove`: nothing was found, and not everything could be looked at. */
export const unprovenCode = 3;
/** Ctrl-C, as shells expect it (128 + 2). */
export const interruptedCode = 130;
/** Whoever read the output has closed it, as if by SIGPIPE (128 + 13). */
export const closedPipeCode = 141;

/** What `inward --help` says about them. */
export const exitCodes: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'done'],
  [1, 'failed, with one sentence on standard error; doctor: no server could start'],
  [2, 'the command line cannot be used'],
  [unprovenCode, 'prove: no claim failed, and some could not be checked'],
  [interruptedCode, 'interrupted by Ctrl-C'],
  [closedPipeCode, 'whoever read the output has closed it'],
];
