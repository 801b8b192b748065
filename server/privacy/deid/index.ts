/**
 * The door `inward/deid`: finds the identifiers of Safe Harbor (45 CFR 164.514(b)(2)) in a text, notes and messages alike, puts something else
 * in their places, and puts them back into an answer. In memory only; needs no server, no model and no GPU. docs/deid-actions.md says more.
 *
 * @example
 * using mapping = new Mapping();
 * const { text, counts } = deidentify(note, { mapping });
 * const restorer = createRestorer(mapping);
 * for await (const part of ask(text)) show(restorer.push(part));
 * show(restorer.end());
 */
export type { Action } from './actions/plan.ts';
export type { Counts } from './categories.ts';
export { type Deidentified, type DeidentifyOptions, deidentify } from './deidentify.ts';
export { createDetector, type DetectorOptions, detectorVersion } from './detector.ts';
export { Mapping } from './mapping/mapping.ts';
export { createRestorer, type RestoreOptions, type Restorer, restore } from './restore/restorer.ts';
export type { Category, Detector, Span } from './types.ts';
