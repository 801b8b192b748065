/** GET /metrics over a scripted engine: a valid page, the names that routers look for, counts that are what was done, and labels that no request can choose. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EngineStats, TenantStats } from '../../runtime/types.ts';
import { AnswerCounts } from '../../server/metrics/answered.ts';
import { type Family, renderFamilies } from '../../server/metrics/exposition.ts';
import { renderMetrics } from '../../server/metrics.ts';
import { type ReadFamily, readExposition, readValueOf } from '../exposition.ts';
import { FakeEngine, type FakeEngineOptions } from '../fake-engine.ts';
import { say } from '../fake-text.ts';
import { openDoor } from './doorkeeper.ts';
import { type Bench, listen, rawPost, talk, until, user } from './help.ts';

type Page = Map<string, ReadFamily>;

async function scrape({ url }: Bench): Promise<Page> {
  const response = await fetch(`${url}/metrics`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  return readExposition(await response.text());
}

/** The page of an engine with these stats. */
function show(stats: Partial<EngineStats>, options: Partial<FakeEngineOptions> = {}): Page {
  const engine = new FakeEngine({ script: say(''), stats, ...options });
  return readExposition(renderMetrics(engine, { answered: new AnswerCounts(), isReady: true, version: '1.2.3', gate: openDoor }));
}

// By real connections: an injected answer is never finished, and counts as aborted.
const post = ({ url }: Bench, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'default', messages: [user('Hi')], ...body }),
    ...(signal && { signal }),
  });

/** Names, types and labels as the consumers demand them: the model server protocol of the Gateway API Inference Extension first, then vLLM's own and its older names. */
const demanded = [
  ['vllm:num_requests_waiting', 'gauge'],
  ['vllm:num_requests_running', 'gauge'],
  ['vllm:kv_cache_usage_perc', 'gauge'],
  ['vllm:cache_config_info', 'gauge'],
  ['vllm:gpu_cache_usage_perc', 'gauge'],
  ['vllm:gpu_prefix_cache_hit_rate', 'gauge'],
  ['vllm:prefix_cache_queries_total', 'counter'],
  ['vllm:prefix_cache_hits_total', 'counter'],
  ['vllm:gpu_prefix_cache_queries_total', 'counter'],
  ['vllm:gpu_prefix_cache_hits_total', 'counter'],
  ['vllm:num_preemptions_total', 'counter'],
  ['vllm:prompt_tokens_total', 'counter'],
  ['vllm:generation_tokens_total', 'counter'],
  ['vllm:request_success_total', 'counter'],
  ['vllm:spec_decode_num_draft_tokens_total', 'counter'],
  ['vllm:spec_decode_num_accepted_tokens_total', 'counter'],
  ['vllm:time_to_first_token_seconds', 'histogram'],
  ['vllm:inter_token_latency_seconds', 'histogram'],
  ['vllm:time_per_output_token_seconds', 'histogram'],
  ['vllm:e2e_request_latency_seconds', 'histogram'],
  ['vllm:request_queue_time_seconds', 'histogram'],
] as const;

describe('the page', () => {
  test('has every name that routers and dashboards look for, with its type, and the model as a label', () => {
    const page = show({ kvBlocksTotal: 256, blockLength: 16 });
    for (const [name, type] of demanded) {
      const family = page.get(name);
      expect(family?.type, name).toBe(type);
      if (name !== 'vllm:cache_config_info') expect(new Set(family?.samples.map(({ labels }) => labels['model_name'])), name).toEqual(new Set(['fake-model']));
    }
    expect(page.get('vllm:cache_config_info')?.samples).toEqual([
      { name: 'vllm:cache_config_info', labels: { block_size: '16', num_gpu_blocks: '256' }, value: 1 },
    ]);
  });

  test('says what the engine says', () => {
    const page = show({
      running: 3,
      waiting: 5,
      parked: 2,
      kvBlocksTotal: 100,
      kvBlocksFree: 50,
      kvBlocksCached: 20,
      preemptions: 7,
      promptTokens: 1000,
      generatedTokens: 200,
      prefixQueries: 800,
      prefixHits: 600,
      draftTokens: 40,
      acceptedTokens: 30,
      forcedTokens: 25,
      expertUses: 90,
      expertLoads: 11,
      expertsAhead: 30,
      expertsForeseen: 24,
      expertBytes: 4100,
      expertFileBytes: 700,
      estimatedWaitMs: 1500,
      restarts: 2,
      steps: 9,
      stepMs: { schedule: 100, submit: 200, wait: 4000, commit: 50 },
      memory: { weights: 5000, kv: 700 },
    });
    const values = {
      'vllm:num_requests_running': 3,
      'vllm:num_requests_waiting': 5,
      inward_requests_parked: 2,
      // Cached blocks are there for whoever comes: they are no load.
      'vllm:kv_cache_usage_perc': 0.5,
      'vllm:gpu_cache_usage_perc': 0.5,
      'vllm:num_preemptions_total': 7,
      'vllm:prompt_tokens_total': 1000,
      'vllm:generation_tokens_total': 200,
      'vllm:prefix_cache_queries_total': 800,
      'vllm:gpu_prefix_cache_queries_total': 800,
      'vllm:prefix_cache_hits_total': 600,
      'vllm:gpu_prefix_cache_hits_total': 600,
      'vllm:gpu_prefix_cache_hit_rate': 0.75,
      'vllm:spec_decode_num_draft_tokens_total': 40,
      'vllm:spec_decode_num_accepted_tokens_total': 30,
      inward_forced_tokens_total: 25,
      inward_expert_uses_total: 90,
      inward_expert_loads_total: 11,
      inward_expert_ahead_total: 30,
      inward_expert_foreseen_total: 24,
      inward_expert_bytes_total: 4100,
      inward_expert_file_bytes_total: 700,
      inward_estimated_wait_seconds: 1.5,
      inward_engine_restarts_total: 2,
      inward_steps_total: 9,
      inward_ready: 1,
    };
    expect(page.get('inward_build_info')?.samples[0]?.labels).toEqual({
      version: '1.2.3',
      device: 'swiftshader',
      family: 'fake',
      kv: 'f16',
      activations: 'int8',
    });
    for (const [name, value] of Object.entries(values)) expect(readValueOf(page, name), name).toBe(value);
    const parts = { schedule: 0.1, submit: 0.2, wait: 4, commit: 0.05 };
    for (const [part, seconds] of Object.entries(parts)) expect(readValueOf(page, 'inward_step_seconds_total', { part })).toBe(seconds);
    for (const [owner, size] of Object.entries({ weights: 5000, kv: 700 })) expect(readValueOf(page, 'inward_device_memory_bytes', { owner })).toBe(size);
    for (const [state, count] of Object.entries({ used: 50, cached: 20, free: 30 })) expect(readValueOf(page, 'inward_kv_blocks', { state })).toBe(count);
  });

  test('buckets are cumulative from counts of each bucket, under both names', () => {
    const none = { bounds: [1], counts: [0, 0], sum: 0 };
    const interTokenLatency = { bounds: [0.01, 0.5], counts: [4, 0, 3], sum: 12.5 };
    const page = show({ histograms: { timeToFirstToken: none, endToEnd: none, queueTime: none, interTokenLatency } });
    for (const name of ['vllm:inter_token_latency_seconds', 'vllm:time_per_output_token_seconds']) {
      const read = (end: string, le?: string): number => readValueOf(page, `${name}_${end}`, le === undefined ? {} : { le });
      expect([read('bucket', '0.01'), read('bucket', '0.5'), read('bucket', '+Inf'), read('sum'), read('count')]).toEqual([4, 4, 7, 12.5, 7]);
    }
  });

  test('an engine that has said nothing yet is unused, not undefined', () => {
    const page = show({ kvBlocksTotal: 0, kvBlocksFree: 0, prefixQueries: 0 });
    expect([readValueOf(page, 'vllm:kv_cache_usage_perc'), readValueOf(page, 'vllm:gpu_prefix_cache_hit_rate')]).toEqual([0, 0]);
  });

  test('tenants beyond 64 are added up', () => {
    const tenants = Array.from({ length: 100 }, (_, i): TenantStats => {
      const tenant = (i * 37) % 100; // in no order
      return {
        tenant,
        running: 1,
        waiting: 2,
        promptTokens: tenant,
        generatedTokens: 3,
        prefixQueries: 4,
        prefixHits: 5,
        cachedBlocks: 6,
        evictedBlocks: 7,
      };
    });
    const page = show({ tenants });
    const families = [...page].filter(([name]) => name.startsWith('inward_tenant_'));
    expect(families).toHaveLength(8);
    const names = [...Array.from({ length: 64 }, (_, tenant) => String(tenant)), 'other'];
    for (const [, { samples }] of families) expect(samples.map(({ labels }) => labels['tenant'])).toEqual(names);
    expect(readValueOf(page, 'inward_tenant_prompt_tokens_total', { tenant: '63' })).toBe(63);
    expect(readValueOf(page, 'inward_tenant_prompt_tokens_total', { tenant: 'other' })).toBe(((64 + 99) * 36) / 2);
    expect(readValueOf(page, 'inward_tenant_evicted_blocks_total', { tenant: 'other' })).toBe(7 * 36);
    const few = show({ tenants: tenants.slice(0, 64) });
    expect(few.get('inward_tenant_prompt_tokens_total')?.samples.some(({ labels }) => labels['tenant'] === 'other')).toBe(false);
  });

  test('a file may have any name', () => {
    const modelName = 'a "model"\\n of\nthe operator, {x="y"} é';
    const page = show({}, { info: { modelName } });
    expect(page.get('vllm:num_requests_running')?.samples).toEqual([{ name: 'vllm:num_requests_running', labels: { model_name: modelName }, value: 0 }]);
  });

  test('any label value and any number come back as they were', () => {
    const samples = fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), fc.double()), { selector: ([text]) => text, maxLength: 5 });
    fc.assert(
      fc.property(samples, (pairs) => {
        // The format's lines end at \n alone, but readers of ours refuse \r.
        const clean = pairs.filter(([text]) => !text.includes('\r'));
        const family: Family = { type: 'gauge', name: 'x', help: 'h', samples: clean.map(([text, value]) => [{ a: text }, value]) };
        const read = readExposition(renderFamilies([family]))
          .get('x')
          ?.samples.map(({ labels, value }) => [labels['a'], value]);
        expect(read).toEqual(clean.map(([text, value]) => [text, value === 0 ? 0 : value]));
      }),
    );
  });
});

describe('counts', () => {
  test('are what was done, and never go back', async () => {
    await using bench = await listen({ script: say('Hello, world.'), failAt: { index: 5, error: new Error('five') } });
    const pages = [await scrape(bench)];
    const answers = [];
    // 14 tokens with the end; cut at 3; cut by a string after 2; two choices of 1
    for (const body of [{ max_tokens: 3 }, { stop: 'el' }, { max_tokens: 1, n: 2 }]) {
      const answer = await post(bench, body);
      expect(answer.status).toBe(200);
      answers.push(((await answer.json()) as { usage: { prompt_tokens: number; completion_tokens: number } }).usage);
      pages.push(await scrape(bench));
    }
    expect((await post(bench, {})).status).toBe(500);
    for (const path of ['/v1/models/another', '/nothing']) expect((await fetch(`${bench.url}${path}`)).status).toBe(404);
    await talk(bench.port, 'this is no HTTP\r\n\r\n');
    // Four answers, two refusals, four scrapes, a connection
    await until(() => bench.engine.running === 0 && bench.lines.length === 4 + 2 + 4 + 1 + 1);
    const page = await scrape(bench);
    pages.push(page);

    const choices = (finished_reason: string): number => readValueOf(page, 'vllm:request_success_total', { finished_reason });
    expect(['stop', 'length', 'abort', 'error'].map(choices)).toEqual([1, 3, 0, 1]);
    const endings = (ending: string): number => readValueOf(page, 'inward_sequences_finished_total', { ending });
    // The engine knows no text: to it, a reader that has seen a stop string leaves.
    expect(['stop', 'length', 'failed', 'cancelled'].map(endings)).toEqual([0, 3, 1, 1]);
    const requests = (route: string, outcome: string): number => readValueOf(page, 'inward_http_requests_total', { route, outcome });
    expect([requests('/v1/chat/completions', '2xx'), requests('/v1/chat/completions', '5xx')]).toEqual([3, 1]);
    expect([requests('/v1/models/:id', '4xx'), requests('(unknown)', '4xx'), requests('/metrics', '2xx')]).toEqual([1, 1, 4]);
    expect(readValueOf(page, 'inward_http_connection_errors_total')).toBe(1);
    // Five tokens of the answer that failed; a prompt of two choices is computed twice.
    const [promptTokens = 0] = answers.map((usage) => usage.prompt_tokens);
    expect(readValueOf(page, 'vllm:prompt_tokens_total')).toBe(5 * promptTokens);
    const generated = readValueOf(page, 'vllm:generation_tokens_total');
    const seen = answers.reduce((sum, usage) => sum + usage.completion_tokens, 0) + 5;
    // The engine may have made a token more before it heard that the reader had left.
    expect([seen, seen + 1]).toContain(generated);
    expect(readValueOf(page, 'vllm:time_to_first_token_seconds_count')).toBe(5);
    expect(readValueOf(page, 'vllm:inter_token_latency_seconds_count')).toBe(generated - 5);
    expect(readValueOf(page, 'vllm:request_queue_time_seconds_count')).toBe(5);
    expect(readValueOf(page, 'vllm:e2e_request_latency_seconds_count')).toBe(3);
    pages.reduce((before, after) => {
      expectNoneLess(before, after);
      return after;
    });
  });

  test('a client that goes away, and a full queue', async () => {
    await using bench = await listen({ script: say('x'.repeat(2000)), stepMs: 2, places: 1 });
    const abort = new AbortController();
    const response = await post(bench, { stream: true }, abort.signal);
    await response.body?.getReader().read();
    expect(readValueOf(await scrape(bench), 'vllm:num_requests_running')).toBe(1);
    expect((await post(bench, {})).status).toBe(429);
    abort.abort();
    await until(() => bench.engine.running === 0 && bench.life.running === 0 && bench.lines.some((line) => line.includes('"finished":false')));
    const page = await scrape(bench);
    const requests = (outcome: string): number => readValueOf(page, 'inward_http_requests_total', { route: '/v1/chat/completions', outcome });
    expect(['2xx', '4xx', '5xx', 'aborted'].map(requests)).toEqual([0, 1, 0, 1]);
    // What found no place was refused, not begun.
    const choices = (finished_reason: string): number => readValueOf(page, 'vllm:request_success_total', { finished_reason });
    expect(['stop', 'length', 'abort', 'error'].map(choices)).toEqual([0, 0, 1, 0]);
    expect(readValueOf(page, 'inward_sequences_finished_total', { ending: 'cancelled' })).toBe(1);
  });

  test('of every state of the server', async () => {
    await using bench = await listen();
    void bench.life.drain(1000);
    expect(readValueOf(await scrape(bench), 'inward_ready')).toBe(0);
    bench.life.fail();
    expect(readValueOf(await scrape(bench), 'inward_ready')).toBe(0);
    expect((await post(bench, {})).status).toBe(503);
    const head = await bench.app.inject({ method: 'HEAD', url: '/metrics' });
    expect([head.statusCode, head.body]).toEqual([200, '']);
  });
});

function expectNoneLess(before: Page, after: Page): void {
  for (const [name, { type, samples }] of before) {
    if (type === 'gauge') continue;
    for (const sample of samples) expect(readValueOf(after, sample.name, sample.labels), name).toBeGreaterThanOrEqual(sample.value);
  }
}

test('traffic of every kind adds no label and no value of one', async () => {
  const marker = `Marker${randomBytes(12).toString('hex')}`;
  await using bench = await listen({ script: say(marker) }, { requestTimeoutMs: 300 });
  const listSeries = (page: Page): string[] => [...page].flatMap(([, { samples }]) => samples.map(({ name, labels }) => JSON.stringify([name, labels])));
  const before = await scrape(bench);
  const wild = { [marker]: marker, 'x-request-id': marker, 'x-inward-tenant': marker, authorization: `Bearer ${marker}`, 'user-agent': marker };
  await post(bench, { messages: [user(marker)], user: marker, stop: marker, metadata: { [marker]: marker } });
  await post(bench, { model: marker });
  await post(bench, { [marker]: marker });
  const streamed = await post(bench, { messages: [user(marker)], stream: true, seed: 1 });
  expect(await streamed.text()).toContain('[DONE]');
  for (const path of ['', `/${marker}`, `/v1/models/${marker}`, `/metrics?${marker}`, `/metrics/${marker}`, `/%zz${marker}`])
    await (await fetch(`${bench.url}${path}`, { headers: wild })).text();
  await fetch(`${bench.url}/metrics`, { method: 'DELETE', headers: wild });
  await talk(bench.port, `${marker} ${marker}\r\n\r\n`);
  await talk(bench.port, rawPost(Buffer.from(marker), [`${marker}: ${marker}`]));
  await until(() => bench.engine.running === 0);
  const text = await (await fetch(`${bench.url}/metrics`, { headers: wild })).text();
  expect(text).not.toContain(marker);
  expect(bench.engine.requests.length).toBeGreaterThan(1);
  expect(listSeries(readExposition(text))).toEqual(listSeries(before));
});

const histogram = (...lines: string[]): string => `# HELP h x\n# TYPE h histogram\n${lines.join('\n')}\n`;
test.each([
  ['a line that does not end', '# HELP a x\n# TYPE a gauge\na 1'],
  ['no TYPE', '# HELP a x\na 1\n'],
  ['no HELP', '# TYPE a gauge\na 1\n'],
  ['a second TYPE', '# HELP a x\n# TYPE a gauge\n# TYPE a gauge\na 1\n'],
  ['a TYPE behind a sample', '# HELP a x\n# TYPE a gauge\na 1\n# TYPE a gauge\n'],
  ['a family in two parts', '# HELP a x\n# TYPE a gauge\na{b="1"} 1\n# HELP c x\n# TYPE c gauge\nc 1\n# HELP a x\na{b="2"} 1\n'],
  ['a sample twice', '# HELP a x\n# TYPE a gauge\na{b="1",c="2"} 1\na{c="2",b="1"} 1\n'],
  ['a sample of another family', '# HELP a x\n# TYPE a gauge\nb 1\n'],
  ['a name with a dash', '# HELP a-b x\n# TYPE a-b gauge\na-b 1\n'],
  ['a quote that is not escaped', '# HELP a x\n# TYPE a gauge\na{b="c"d"} 1\n'],
  ['a wrong escape', '# HELP a x\n# TYPE a gauge\na{b="c\\d"} 1\n'],
  ['a label twice', '# HELP a x\n# TYPE a gauge\na{b="1",b="2"} 1\n'],
  ['Infinity', '# HELP a x\n# TYPE a gauge\na Infinity\n'],
  ['undefined', '# HELP a x\n# TYPE a gauge\na undefined\n'],
  ['a counter without _total', '# HELP a x\n# TYPE a counter\na 1\n'],
  ['a counter below zero', '# HELP a_total x\n# TYPE a_total counter\na_total -1\n'],
  ['buckets that are not cumulative', histogram('h_bucket{le="1"} 2', 'h_bucket{le="+Inf"} 1', 'h_sum 1', 'h_count 1')],
  ['buckets that do not ascend', histogram('h_bucket{le="2"} 1', 'h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 1', 'h_sum 1', 'h_count 1')],
  ['no last bucket', histogram('h_bucket{le="1"} 1', 'h_sum 1', 'h_count 1')],
  ['a count that is not the last bucket', histogram('h_bucket{le="+Inf"} 1', 'h_sum 1', 'h_count 2')],
  ['no sum', histogram('h_bucket{le="+Inf"} 1', 'h_count 1')],
])('the reader of these tests refuses %s', (_, page) => {
  expect(() => readExposition(page)).toThrow();
});

test('and takes the example of the specification', () => {
  const page = readExposition(
    '# HELP a_total A "quoted" \\\\ word.\n# TYPE a_total counter\na_total{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9\n\n' +
      histogram('h_bucket{le="0.05"} 24054', 'h_bucket{le="+Inf"} 144320', 'h_sum 53423', 'h_count 144320'),
  );
  expect(page.get('a_total')?.samples[0]).toEqual({
    name: 'a_total',
    labels: { path: 'C:\\DIR\\FILE.TXT', error: 'Cannot find file:\n"FILE.TXT"' },
    value: 1458255915,
  });
});
