/**
 * The door `inward/privacy`: the gate, for programs that embed the engine. Where agreements, keys and the manifest come from:
 * docs/administrator.md.
 *
 * @example
 * await using engine = await openGuardedEngine({ modelPath: 'model.gguf' }, { site: findSiteFolder(undefined, process.env), key });
 * for await (const event of engine.generate({ promptIds, maxTokens: 32 })) if (event.type === 'token') use(event.id);
 */
export type { Caller, RouteRule } from './admission.ts';
export { Refusal, type RefusalCode, type RefusalFields, SiteError } from './errors.ts';
export { findSiteFolder } from './folder.ts';
export { type Admission, Gate, type GateEvent, type GateOptions, type Grant, openGate } from './gate.ts';
export { type GuardedEngine, type GuardedRequest, type GuardOptions, openGuardedEngine } from './guarded.ts';
