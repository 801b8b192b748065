/**
 * The side of llama.cpp in a process of its own, started by bench/kernels/side.ts: its matrix multiplication (ggml_mul_mat) on its Vulkan or CPU
 * back end, called in the libraries of node-llama-cpp's builds through the C interface of ggml.h. Refuses another device than the one asked for.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { encodeBlocks } from '../kernels/encode.ts';
import { serve } from '../kernels/serve.ts';

/** enum ggml_type. */
const [f32, q4_0] = [0, 2];
const params = koffi.struct('ggml_init_params', { mem_size: 'size_t', mem_buffer: 'void *', no_alloc: 'bool' });

let ggml;
let backend;
/** Buffer type of weights: on the CPU what llama.cpp takes for models, which lays out rows side by side. */
let weightType;
let matrices = [];
/** What is freed when other matrices come. */
let owned = [];
let graphs = new Map();

function open({ provider, threadCount }) {
  const isVulkan = provider === 'vulkan';
  const build = isVulkan ? 'linux-x64-vulkan' : 'linux-x64';
  const folder = join(import.meta.dirname, 'node_modules', '@node-llama-cpp', build, 'bins', build);
  const name = readdirSync(folder).find((file) => /^libggml\.(vulkan\.)?v.*\.so$/.test(file));
  ggml = declare(koffi.load(join(folder, 'libggml-base.so')), koffi.load(join(folder, name ?? 'libggml.so')));
  ggml.loadAll(folder);
  // Whatever kind the driver says its device is; the CPU is a kind of its own.
  backend = isVulkan ? ggml.initByName('Vulkan0', null) : ggml.initByType(0, null);
  if (backend === null) throw new Error(`it found no ${isVulkan ? 'Vulkan device' : 'CPU back end'}`);
  weightType = ggml.defaultType(backend);
  if (isVulkan) return;
  const device = ggml.deviceOf(backend);
  const registry = ggml.registryOf(device);
  const procedure = (symbol, prototype) => koffi.decode(ggml.procedure(registry, symbol), koffi.proto(prototype));
  procedure('ggml_backend_set_n_threads', 'void set_n_threads(void *backend, int count)')(backend, threadCount);
  const extra = procedure('ggml_backend_dev_get_extra_bufts', 'void **get_extra_bufts(void *device)')(device);
  const types = extra === null ? [] : koffi.decode(extra, 'void *', -1);
  weightType = types.find((type) => ggml.typeName(type) === 'CPU_REPACK') ?? weightType;
}

function declare(base, main) {
  return {
    loadAll: main.func('void ggml_backend_load_all_from_path(const char *folder)'),
    initByName: main.func('void *ggml_backend_init_by_name(const char *name, const char *params)'),
    initByType: main.func('void *ggml_backend_init_by_type(int type, const char *params)'),
    defaultType: base.func('void *ggml_backend_get_default_buffer_type(void *backend)'),
    typeName: base.func('const char *ggml_backend_buft_name(void *type)'),
    deviceOf: base.func('void *ggml_backend_get_device(void *backend)'),
    registryOf: base.func('void *ggml_backend_dev_backend_reg(void *device)'),
    procedure: base.func('void *ggml_backend_reg_get_proc_address(void *registry, const char *name)'),
    init: base.func('ggml_init', 'void *', [params]),
    free: base.func('void ggml_free(void *context)'),
    matrix: base.func('void *ggml_new_tensor_2d(void *context, int type, int64_t width, int64_t height)'),
    multiply: base.func('void *ggml_mul_mat(void *context, void *a, void *b)'),
    graph: base.func('void *ggml_new_graph(void *context)'),
    expand: base.func('void ggml_build_forward_expand(void *graph, void *tensor)'),
    allocate: base.func('void *ggml_backend_alloc_ctx_tensors_from_buft(void *context, void *type)'),
    freeBuffer: base.func('void ggml_backend_buffer_free(void *buffer)'),
    set: base.func('void ggml_backend_tensor_set(void *tensor, const void *data, size_t offset, size_t size)'),
    get: base.func('void ggml_backend_tensor_get(const void *tensor, _Out_ void *data, size_t offset, size_t size)'),
    compute: base.func('int ggml_backend_graph_compute(void *backend, void *graph)'),
  };
}

/** Tensors are described in host memory; `allocate` gives them theirs. */
function createContext() {
  const context = ggml.init({ mem_size: 4 * 2 ** 20, mem_buffer: null, no_alloc: true });
  owned.push(() => ggml.free(context));
  return context;
}

function allocate(context, type) {
  const buffer = ggml.allocate(context, type);
  if (buffer === null) throw new Error('it has no memory for the matrices');
  owned.push(() => ggml.freeBuffer(buffer));
}

function load(chain) {
  graphs = new Map();
  for (const free of owned.reverse()) free();
  owned = [];
  const context = createContext();
  matrices = chain.matrices.map(({ rows, columns }) => ({ rows, columns, tensor: ggml.matrix(context, q4_0, columns, rows) }));
  allocate(context, weightType);
  matrices.forEach(({ tensor }, i) => {
    const bytes = encodeBlocks(chain.matrices[i]);
    ggml.set(tensor, bytes, 0, bytes.length);
  });
}

function graphOf(tokens) {
  const known = graphs.get(tokens);
  if (known !== undefined) return known;
  const context = createContext();
  const x = ggml.matrix(context, f32, matrices[0].columns, tokens);
  const y = matrices.reduce((vector, { tensor }) => ggml.multiply(context, tensor, vector), x);
  const graph = ggml.graph(context);
  ggml.expand(graph, y);
  allocate(context, ggml.defaultType(backend));
  graphs.set(tokens, { x, y, graph });
  return graphs.get(tokens);
}

serve({
  open: async (options) => open(options),
  load: async (chain) => load(chain),
  // All results come to the host, as those of the other sides.
  run: async (values, tokens) => {
    const { x, y, graph } = graphOf(tokens);
    ggml.set(x, values, 0, values.byteLength);
    const status = ggml.compute(backend, graph);
    if (status !== 0) throw new Error(`it ended with status ${status}`);
    const length = matrices.at(-1).rows;
    const result = new Float32Array(length * tokens);
    ggml.get(y, result, 0, result.byteLength);
    return result.slice(0, length);
  },
});
