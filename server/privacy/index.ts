/**
 * The door `inward/privacy`: the gate, for the server and for programs that embed the engine.
 */
export { type Agreement, endOf } from './agreement.ts';
export type { Caller, RouteRule } from './admission.ts';
export { Refusal, type RefusalCode, type RefusalFields, refusalTable, SiteError } from './errors.ts';
export { findSiteFolder } from './folder.ts';
export { type Admission, Gate, type GateEvent, type GateOptions, type Grant } from './gate.ts';
export { type GuardedEngine, type GuardedRequest, type GuardOptions, openGuardedEngine } from './guarded.ts';
export type { KnownAgreement, View } from './view.ts';
