/**
 * The door `inward/privacy`: the gate, for the server and for programs that embed the engine.
 */

export type { Caller, RouteRule } from './admission.ts';
export type { Agreement } from './agreement.ts';
export { Refusal, type RefusalCode, type RefusalFields, refusalTable, SiteError } from './errors.ts';
export { findSiteFolder } from './folder.ts';
export { type Admission, Gate, type GateEvent, type GateOptions, type Grant } from './gate.ts';
export { type GuardedEngine, type GuardedRequest, type GuardOptions, openGuardedEngine } from './guarded.ts';
export { readPeer } from './peer.ts';
export { createReview } from './review.ts';
export { judgeKey, type KeyState } from './states.ts';
export { listTerms, stateOf, type Term } from './term.ts';
export type { View } from './view.ts';
