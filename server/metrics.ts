/**
 * Owns GET /metrics: which numbers are shown under which names. Names, types and meaning are vLLM's where it has them, the older ones beside the
 * newer, so that its dashboards, routers and autoscalers read ours. Refuses every label whose values a request could choose: they are
 * names from closed lists, numbers, and the model's name, which is the operator's.
 */
import type { FastifyInstance } from 'fastify';
import type { Engine, EngineInfo, EngineStats, LatencyHistogram, TenantStats } from '../runtime/index.ts';
import type { Doorkeeper } from './access.ts';
import type { Life } from './life.ts';
import type { AnswerCounts } from './metrics/answered.ts';
import { contentType, type Family, type Labels, renderFamilies, type Sample } from './metrics/exposition.ts';
import type { ModelSource } from './openai/plan.ts';
import { readVersion } from './privacy/version.ts';

/** What the page shows beside the engine's own numbers. */
export interface ServerFacts {
  readonly answered: AnswerCounts;
  readonly isReady: boolean;
  readonly version: string;
  readonly gate: Pick<Doorkeeper, 'agreement' | 'counts' | 'audit'>;
}

interface MetricsSources {
  readonly models: ModelSource;
  readonly gate: Doorkeeper;
  readonly life: Life;
  readonly answered: AnswerCounts;
}

/** Tenants with lines of their own; those with the lowest numbers. All others are added up. */
const tenantLimit = 64;

export function addMetricsRoute(app: FastifyInstance, { models, gate, life, answered }: MetricsSources): void {
  const version = readVersion();
  app.get('/metrics', (_request, reply) => {
    const engine = models.current?.engine;
    const isReady = life.state === 'ready' && engine?.isReady === true;
    return reply.type(contentType).send(renderMetrics(engine, { answered, isReady, version, gate }));
  });
}

/** The page in Prometheus' text format. Without an engine it is short. */
export function renderMetrics(engine: Pick<Engine, 'stats' | 'info'> | undefined, facts: ServerFacts): string {
  const families = [...listServer(facts), ...listGate(facts)];
  if (engine === undefined) return renderFamilies(families);
  const { info } = engine;
  const stats = engine.stats();
  const model = { model_name: info.modelName };
  return renderFamilies([
    ...families,
    ...listRequests(stats, model, facts),
    ...listCache(stats, model),
    ...listTokens(stats, model),
    ...listTimes(stats, model),
    ...listEngine(stats, info, facts),
    ...listTenants(stats.tenants),
  ]);
}

function listServer({ answered: { requests, brokenConnections }, isReady }: ServerFacts): Family[] {
  const routes = [...requests].flatMap(([route, outcomes]) => labelled('outcome', outcomes, { route }));
  return [
    gauge('inward_ready', '1 while requests are taken.', Number(isReady)),
    counters('inward_http_requests_total', 'HTTP requests by route and class of the status; aborted: the client left first.', routes),
    counter('inward_http_connection_errors_total', 'Connections that broke, sent what is no HTTP, or failed in the handshake of TLS.', brokenConnections),
  ];
}

/** The agreement's id is the administrator's, and there is one. */
function listGate({ gate: { agreement, counts, audit } }: ServerFacts): Family[] {
  const days: Sample[] = agreement === undefined ? [] : [[{ agreement: agreement.agreement.id }, (agreement.end - Date.now()) / 86_400_000]];
  return [
    gauge('inward_agreement_in_force', '1 while an agreement is in force; without one nothing is served.', Number(agreement !== undefined)),
    gauges('inward_agreement_days_left', 'Days until the agreement ends.', days),
    counters('inward_refusals_total', 'Requests that were not let in, by the reason.', labelled('code', Object.fromEntries(counts.refusals))),
    counter('inward_break_glass_uses_total', 'Requests that came with a break-glass key.', counts.breakGlassUses),
    gauge('inward_audit_available', '1 while what happens can be recorded; without that nothing is served.', Number(audit.fault === undefined)),
    gauge('inward_audit_records', 'Records of the audit log.', audit.checkpoint.size),
  ];
}

function listRequests(stats: EngineStats, model: Labels, { answered }: ServerFacts): Family[] {
  const { choices } = answered;
  return [
    gauge('vllm:num_requests_running', 'Requests that have KV blocks.', stats.running, model),
    gauge('vllm:num_requests_waiting', 'Requests in the queue.', stats.waiting, model),
    gauge('inward_requests_parked', 'Requests, of these two, that compute nothing because their readers are behind.', stats.parked),
    gauge('inward_estimated_wait_seconds', 'How long a request that came now would wait; an estimate.', stats.estimatedWaitMs / 1000),
    counter('vllm:num_preemptions_total', 'Times a request gave its KV blocks back and was computed anew.', stats.preemptions, model),
    counters('vllm:request_success_total', 'Choices of answers by why they ended.', labelled('finished_reason', choices, model)),
    counters('inward_sequences_finished_total', 'Sequences of the engine by how they ended.', labelled('ending', stats.finished)),
  ];
}

function listCache(stats: EngineStats, model: Labels): Family[] {
  const { kvBlocksTotal: total, kvBlocksFree: free, kvBlocksCached: cached, blockLength, prefixQueries: queries, prefixHits: hits } = stats;
  const used = total - free;
  const share = total === 0 ? 0 : used / total;
  const usage = 'Part of the KV blocks that running requests own, from 0 to 1.';
  const queried = 'Prompt tokens that were looked up in the prefix cache.';
  const found = 'Prompt tokens that were found in the prefix cache.';
  return [
    gauge('vllm:kv_cache_usage_perc', usage, share, model),
    gauge('vllm:gpu_cache_usage_perc', `${usage} Older name.`, share, model),
    gauge('vllm:cache_config_info', 'Always 1; the labels are what is said.', 1, { block_size: blockLength, num_gpu_blocks: total }),
    gauges('inward_kv_blocks', 'KV blocks by what they hold.', labelled('state', { used, cached, free: free - cached })),
    counter('vllm:prefix_cache_queries_total', queried, queries, model),
    counter('vllm:gpu_prefix_cache_queries_total', `${queried} Older name.`, queries, model),
    counter('vllm:prefix_cache_hits_total', found, hits, model),
    counter('vllm:gpu_prefix_cache_hits_total', `${found} Older name.`, hits, model),
    gauge('vllm:gpu_prefix_cache_hit_rate', 'Hits by queries since the start, from 0 to 1. Older name.', queries === 0 ? 0 : hits / queries, model),
  ];
}

function listTokens(stats: EngineStats, model: Labels): Family[] {
  return [
    counter('vllm:prompt_tokens_total', 'Prompt tokens that were computed.', stats.promptTokens, model),
    counter('vllm:generation_tokens_total', 'Tokens that were generated.', stats.generatedTokens, model),
    counter('vllm:spec_decode_num_draft_tokens_total', 'Tokens that speculative decoding proposed.', stats.draftTokens, model),
    counter('vllm:spec_decode_num_accepted_tokens_total', 'Proposed tokens that were accepted.', stats.acceptedTokens, model),
    counter('inward_forced_tokens_total', 'Tokens of which a grammar left no choice, generated without a step of their own.', stats.forcedTokens),
    counter('inward_expert_uses_total', 'Experts that steps wanted, of layers whose experts are not all on the device.', stats.expertUses),
    counter('inward_expert_loads_total', 'Those of them that were not on the device, so that a step waited.', stats.expertLoads),
    counter('inward_expert_ahead_total', 'Experts that were brought to the device before a layer had chosen.', stats.expertsAhead),
    counter('inward_expert_foreseen_total', 'Those of them that the layer then chose.', stats.expertsForeseen),
    counter('inward_expert_bytes_total', 'Bytes of experts that were brought to the device.', stats.expertBytes),
    counter('inward_expert_file_bytes_total', 'Those of them that were read from files and not found in host memory.', stats.expertFileBytes),
  ];
}

function listTimes({ histograms }: EngineStats, labels: Labels): Family[] {
  const times = (name: string, help: string, histogram: LatencyHistogram): Family => ({ type: 'histogram', name, help, labels, histogram });
  const gap = 'From a token of a request to its next, in seconds.';
  return [
    times('vllm:time_to_first_token_seconds', 'From the arrival of a request to its first token, in seconds.', histograms.timeToFirstToken),
    times('vllm:inter_token_latency_seconds', gap, histograms.interTokenLatency),
    times('vllm:time_per_output_token_seconds', `${gap} Older name.`, histograms.interTokenLatency),
    times('vllm:e2e_request_latency_seconds', 'From the arrival of a request to its end, in seconds.', histograms.endToEnd),
    times('vllm:request_queue_time_seconds', 'From the arrival of a request to its first step, in seconds.', histograms.queueTime),
  ];
}

function listEngine(stats: EngineStats, info: EngineInfo, { version }: ServerFacts): Family[] {
  const { device, family, kv, activations } = info;
  const parts = labelled('part', stats.stepMs).map(([labels, ms]): Sample => [labels, ms / 1000]);
  return [
    counter('inward_steps_total', 'Steps of the engine.', stats.steps),
    counters('inward_step_seconds_total', 'Where the time of the step loop went.', parts),
    gauge('inward_dispatches_per_step', 'Dispatches of the last step.', stats.dispatchesPerStep),
    gauges('inward_device_memory_bytes', 'Device memory by owner.', labelled('owner', stats.memory)),
    counter('inward_engine_restarts_total', "Times the engine's process was started anew.", stats.restarts),
    gauge('inward_build_info', 'Always 1; the labels are what is said.', 1, { version, device, family, kv, activations }),
  ];
}

function listTenants(all: readonly TenantStats[]): Family[] {
  const sorted = all.toSorted((a, b) => a.tenant - b.tenant);
  const named = sorted.slice(0, tenantLimit);
  const others = sorted.slice(tenantLimit);
  const pick = (key: keyof TenantStats): Sample[] => [
    ...named.map((stats): Sample => [{ tenant: stats.tenant }, stats[key]]),
    ...(others.length > 0 ? [[{ tenant: 'other' }, others.reduce((sum, stats) => sum + stats[key], 0)] as const] : []),
  ];
  return [
    gauges('inward_tenant_requests_running', 'Requests of a tenant that have KV blocks.', pick('running')),
    gauges('inward_tenant_requests_waiting', 'Requests of a tenant in the queue.', pick('waiting')),
    gauges('inward_tenant_cached_blocks', 'KV blocks with prefixes of a tenant that no running request owns.', pick('cachedBlocks')),
    counters('inward_tenant_evicted_blocks_total', 'KV blocks with prefixes of a tenant that were given up.', pick('evictedBlocks')),
    counters('inward_tenant_prompt_tokens_total', 'Prompt tokens of a tenant that were computed.', pick('promptTokens')),
    counters('inward_tenant_generation_tokens_total', 'Tokens that were generated for a tenant.', pick('generatedTokens')),
    counters('inward_tenant_prefix_cache_queries_total', 'Prompt tokens of a tenant that were looked up in the prefix cache.', pick('prefixQueries')),
    counters('inward_tenant_prefix_cache_hits_total', 'Prompt tokens of a tenant that were found in the prefix cache.', pick('prefixHits')),
  ];
}

function gauges(name: string, help: string, samples: readonly Sample[]): Family {
  return { type: 'gauge', name, help, samples };
}

function counters(name: string, help: string, samples: readonly Sample[]): Family {
  return { type: 'counter', name, help, samples };
}

function gauge(name: string, help: string, value: number, labels: Labels = {}): Family {
  return gauges(name, help, [[labels, value]]);
}

function counter(name: string, help: string, value: number, labels: Labels = {}): Family {
  return counters(name, help, [[labels, value]]);
}

/** A sample a key, which becomes the value of `label`. */
function labelled(label: string, values: Readonly<Record<string, number>>, others: Labels = {}): Sample[] {
  return Object.entries(values).map(([key, value]) => [{ ...others, [label]: key }, value]);
}
