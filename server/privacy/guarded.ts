/**
 * Owns the engine behind the gate, for programs that embed it: the same agreement, keys and quotas as a server has, and the
 * same refusals. Refuses to load a model without an agreement in force, and gives it up when that ends.
 */
import { hash } from 'node:crypto';
import { type Engine, type EngineOptions, embedTexts, type GenerateRequest, InwardError, openEngine, type TokenEvent } from '../../runtime/index.ts';
import type { Caller, RouteRule } from './admission.ts';
import { nameModel } from './audit/describe.ts';
import type { ProcessFacts } from './audit/trail.ts';
import { demandDeployment } from './deployment/deployment.ts';
import { canonicalize } from './envelope.ts';
import { Refusal } from './errors.ts';
import { type Admission, type Gate, type Grant, openGate, type Use } from './gate.ts';
import { unloadEngine } from './unload.ts';
import { readVersion } from './version.ts';
import type { Purpose } from './words.ts';

/** Whose engine it is, and where the site is. */
export interface GuardOptions {
  /** Folder of the site: its agreements, keys and manifest (`findSiteFolder`). */
  readonly site: string;
  /** The secret of a key with the scope `completions`. */
  readonly key: string;
  /** What requests are for; needed where the key has several purposes. */
  readonly purpose?: Purpose;
  /** What becomes of an engine for PHI where another process computes on the GPU. Default `refuse`. */
  readonly sharedGpu?: 'refuse' | 'record';
  /** What becomes of an engine for PHI where memory may be swapped to a disk. Default `refuse`. */
  readonly swap?: 'refuse' | 'allow';
  /** In place of the door `inward`, for tests and for engines that are open already. */
  readonly open?: (options: EngineOptions) => Promise<Engine>;
}

/** What a guarded engine may be asked: whose request it is and how urgent it may be is the key's business. */
export type GuardedRequest = Omit<GenerateRequest, 'tenant'>;

/** An engine that answers while agreement and key hold. */
export interface GuardedEngine extends Omit<Engine, 'generate' | 'checkZeroed'> {
  /** As `Engine.generate`; a Refusal comes from the first `next()`, or from a later one when agreement or key end meanwhile. */
  generate(request: GuardedRequest, signal?: AbortSignal): AsyncIterable<TokenEvent>;
}

const rule: RouteRule = { scope: 'completions', isInference: true };

/**
 * Opens a model for the holder of a key, if an agreement is in force. Throws Refusal (agreement_missing, key_invalid ...), SiteError
 * (a store or a machine that is not as it should be), and what `openEngine` throws.
 */
export async function openGuardedEngine(options: EngineOptions, guard: GuardOptions): Promise<GuardedEngine> {
  const gate = await openGate(guard.site, { isLocal: true, facts: describeProcess(options, guard) });
  try {
    const caller: Caller = { authorization: `Bearer ${guard.key}`, address: '127.0.0.1', purpose: guard.purpose };
    // Before anything is loaded.
    (await gate.admit({ ...rule, isDry: true }, caller)).end();
    let isStale = false;
    gate.onEvent(({ event }) => {
      isStale ||= event === 'gate_closed' || event === 'deployment_changed';
    });
    const { device: deviceName = 'auto', modelPath } = options;
    const { sharedGpu = 'refuse', swap = 'refuse', open = openEngine } = guard;
    const deployment = await demandDeployment(gate, { deviceName, modelPath, sharedGpu, swap });
    const engine = await open(deployment === undefined ? options : { ...options, keepsNothing: true });
    // What it was held against may have changed while it was loaded.
    if (!isStale) return guardEngine(engine, gate, caller);
    await engine[Symbol.asyncDispose]();
    throw new Refusal('agreement_missing');
  } catch (error) {
    await gate[Symbol.asyncDispose]();
    throw error;
  }
}

function guardEngine(engine: Engine, gate: Gate, caller: Caller): GuardedEngine {
  let over: Promise<void> | undefined;
  gate.note({ event: 'model_loaded', model: nameModel(engine.info.modelName), manifest: gate.view?.manifest?.hash });
  const unload = async (): Promise<void> => {
    // Its own errors are told by `failed`.
    const zeroed = await unloadEngine(engine).catch(() => false);
    gate.note({ event: 'model_unloaded', zeroed });
  };
  const end = (): Promise<void> => (over ??= unload());
  gate.onEvent((event) => {
    if (event.event === 'gate_closed' || event.event === 'deployment_changed') void end();
    if (event.event === 'tenant_closed' && over === undefined) engine.flushPrefixes(event.tenant);
  });
  const guarded: GuardedEngine = {
    info: engine.info,
    get isReady() {
      return over === undefined && gate.isOpen && engine.isReady;
    },
    failed: engine.failed,
    stats: () => engine.stats(),
    flushPrefixes: (tenant) => {
      gate.note({ event: 'cache_flushed', tenant: gate.view?.snapshot.tenants.find(({ number }) => number === tenant)?.code });
      engine.flushPrefixes(tenant);
    },
    generate: (request, signal) => generate(engine, gate, caller, request, signal, () => over !== undefined),
    embed: (texts, options, signal) => embedTexts(guarded, texts, options, signal),
    [Symbol.asyncDispose]: async () => {
      gate.cut();
      await end();
      await gate[Symbol.asyncDispose]();
    },
  };
  return guarded;
}

async function* generate(
  engine: Engine,
  gate: Gate,
  caller: Caller,
  request: GuardedRequest,
  signal: AbortSignal | undefined,
  isOver: () => boolean,
): AsyncGenerator<TokenEvent, void, undefined> {
  const admission = await gate.admit(rule, { ...caller, model: engine.info.modelName });
  const granted = demandGrant(admission);
  const used = { promptTokens: 0, completionTokens: 0, cachedTokens: 0 };
  let end: Pick<Use, 'ending' | 'refusal' | 'error'> = { ending: 'cancelled' };
  try {
    // Opened anew, it is held against what is signed now.
    if (isOver()) throw new Refusal('manifest_mismatch');
    granted.checkModel(engine.info.modelName);
    await granted.begin(request.promptIds.length + request.maxTokens);
    const priority = granted.priority === 'batch' ? 'batch' : (request.priority ?? 'interactive');
    const either = signal === undefined ? admission.signal : AbortSignal.any([signal, admission.signal]);
    for await (const event of engine.generate({ ...request, priority, tenant: granted.tenant }, either)) {
      used.promptTokens = request.promptIds.length;
      if (event.type !== 'prompt') used.cachedTokens = event.cachedTokens ?? used.cachedTokens;
      if (event.type === 'token') used.completionTokens++;
      if (event.type === 'end') end = { ending: event.reason };
      yield event;
    }
  } catch (error) {
    const reason: unknown = admission.signal.aborted ? admission.signal.reason : error;
    end = describeFailure(reason, used.promptTokens > 0);
    throw reason;
  } finally {
    granted.settle({ ...used, ...end });
    admission.end();
  }
}

/** For the audit trail. */
function describeProcess({ modelPath, device = 'auto', ...others }: EngineOptions, { swap = 'refuse' }: GuardOptions): ProcessFacts {
  const plain = Object.entries(others).filter(([, value]) => ['string', 'boolean'].includes(typeof value) || Number.isSafeInteger(value));
  const profile = hash('sha256', canonicalize({ ...Object.fromEntries(plain), modelPath, device, swap }));
  return { kind: 'embedded', version: readVersion(), profile };
}

function describeFailure(error: unknown, hasBegun: boolean): Pick<Use, 'ending' | 'refusal' | 'error'> {
  if (error instanceof Refusal) return { ending: hasBegun ? 'cancelled' : 'refused', refusal: error.code };
  if (!(error instanceof InwardError)) return { ending: 'failed' };
  return { ending: error.code === 'aborted' ? 'cancelled' : hasBegun ? 'failed' : 'refused', error: error.code };
}

function demandGrant({ granted }: Admission): Grant {
  if (granted === undefined) throw new Refusal('agreement_missing');
  return granted;
}
