/**
 * Owns the routes that tell people how the site stands: GET /inward/status and GET /inward/review. Numbers, times and names that
 * administrators chose; refuses salts, hashes of secrets and anything of a request.
 */
import type { FastifyInstance } from 'fastify';
import type { Doorkeeper } from './access.ts';
import { ApiError } from './openai/errors.ts';
import type { ModelSource } from './openai/plan.ts';
import { createReview } from './privacy/review.ts';
import { judgeKey, type KeyState } from './privacy/states.ts';
import { stateOf } from './privacy/term.ts';
import type { View } from './privacy/view.ts';

export function addSiteRoutes(app: FastifyInstance, gate: Doorkeeper, models: ModelSource): void {
  app.get('/inward/status', () => describeStatus(demandView(gate), gate, models));
  app.get('/inward/review', () => createReview(demandView(gate).snapshot, Date.now()));
}

function demandView({ view }: Doorkeeper): View {
  if (view === undefined) throw new ApiError('internal_error');
  return view;
}

function describeStatus({ region, manifest, snapshot, agreements }: View, gate: Doorkeeper, { current }: ModelSource): object {
  const now = Date.now();
  const keys: Partial<Record<KeyState, number>> = {};
  for (const key of snapshot.keys) {
    const state = judgeKey(key, now);
    keys[state] = (keys[state] ?? 0) + 1;
  }
  return {
    site: snapshot.policy?.site ?? null,
    region,
    manifest: manifest?.hash ?? null,
    agreements: agreements.map(({ agreement: { id, kind, purposes, tenants }, stored, begin, end, agreement }) => ({
      ...{ id, kind, state: stateOf(agreement, stored, now, end), purposes, tenants },
      ...{ begins: new Date(begin).toISOString(), ends: new Date(end).toISOString() },
    })),
    // The one that requests are served under.
    agreement: gate.agreement?.agreement.id ?? null,
    model: current?.engine.info.modelName ?? null,
    // Of a server with a model: without one there are no processes to hold.
    layers: current?.layers ?? [],
    keys,
    // For whoever notes it down: a log of a later day must be a continuation of it.
    audit: { fault: gate.audit.fault ?? null, records: gate.audit.checkpoint.size, checkpoint: gate.audit.checkpoint.note },
    refusals: Object.fromEntries(gate.counts.refusals),
    breakGlassUses: gate.counts.breakGlassUses,
  };
}
