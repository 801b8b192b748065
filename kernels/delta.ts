/**
 * Owns the gated delta rule (delta_inputs.wgsl, delta_rule.wgsl): where its parts stand in a row of projections, what a sequence's recurrent
 * state is, and the clearing of freed state. Refuses norm and gate of its output: gated_heads.ts.
 */
import { bindingKind, type Operation, type Place, placeOf, type Slice, type StepCounts, type Variant, type Vectors } from './kernel.ts';

export interface DeltaShape {
  readonly keyHeads: number;
  /** A multiple of `keyHeads`, and of 4. */
  readonly valueHeads: number;
  /** Channels of a head of queries and keys, and of values; multiples of 4. */
  readonly keyLength: number;
  readonly valueLength: number;
  /** Tokens that the convolution sees, its own the last of them; at least 2. */
  readonly taps: number;
  /**
   * Rows are [queries, keys, values, gates], then [betas, rates]. Grouped: all parts of one key head, then those of the next; in both of these
   * lists, or in the second alone.
   */
  readonly grouped: 'no' | 'rates' | 'all';
  /** Value head h goes with key head h % keyHeads, as in GGUF files; else value heads of a key head stand together. */
  readonly isTiled: boolean;
}

/** What every kernel of the layer is made for. */
export interface DeltaSettings {
  readonly lanes: number;
  /** BATCH_ constants of the batch. */
  readonly layout: Readonly<Record<string, number>>;
}

/** Where a part of key head k begins: start + k * pitch. In channels. */
interface Part {
  readonly start: number;
  readonly pitch: number;
}

/** Channels of a row of projections, and its parts. */
export function deltaRow(shape: DeltaShape): Readonly<Record<'query' | 'key' | 'value' | 'gate' | 'beta' | 'rate', Part>> & { readonly length: number } {
  const { keyHeads, valueHeads, keyLength, valueLength, grouped } = shape;
  const group = valueHeads / keyHeads;
  const sizes = { query: keyLength, key: keyLength, value: group * valueLength, gate: group * valueLength, beta: group, rate: group };
  const place = (names: readonly (keyof typeof sizes)[], first: number, isGrouped: boolean): [string, Part][] => {
    const pitch = names.reduce((sum, name) => sum + sizes[name], 0);
    let before = 0;
    return names.map((name) => {
      const part = isGrouped ? { start: first + before, pitch } : { start: first + before * keyHeads, pitch: sizes[name] };
      before += sizes[name];
      return [name, part];
    });
  };
  const wide = keyHeads * (2 * keyLength + 2 * group * valueLength);
  const parts = Object.fromEntries([...place(['query', 'key', 'value', 'gate'], 0, grouped === 'all'), ...place(['beta', 'rate'], wide, grouped !== 'no')]);
  return { ...(parts as Record<keyof typeof sizes, Part>), length: wide + 2 * valueHeads };
}

/** Channels that are convolved: queries, keys and values. */
export function deltaChannels({ keyHeads, valueHeads, keyLength, valueLength }: DeltaShape): number {
  return 2 * keyHeads * keyLength + valueHeads * valueLength;
}

/** f32 that a sequence keeps in a layer: a matrix a value head, and the rows that the convolution still sees. */
export function deltaStateLength(shape: DeltaShape): number {
  return shape.valueHeads * shape.valueLength * shape.keyLength + (shape.taps - 1) * deltaChannels(shape);
}

/** Channels of what delta_inputs gives for each token. */
export function deltaInputLength(shape: DeltaShape): number {
  return deltaChannels(shape) + 2 * shape.valueHeads;
}

function deltaConstants(shape: DeltaShape, { lanes, layout }: DeltaSettings): Record<string, number | boolean> {
  const { keyHeads, valueHeads, keyLength, valueLength, taps, isTiled } = shape;
  const { query, key, value, beta, rate, length } = deltaRow(shape);
  const channels = deltaChannels(shape);
  return {
    ...layout,
    LANES: lanes,
    KEY_HEADS: keyHeads,
    VALUE_HEADS: valueHeads,
    GROUP: valueHeads / keyHeads,
    KEY_QUADS: keyLength / 4,
    VALUE_QUADS: valueLength / 4,
    TAPS: taps,
    IS_TILED: isTiled,
    CHANNEL_QUADS: channels / 4,
    INPUT_QUADS: deltaInputLength(shape) / 4,
    ROW_QUADS: length / 4,
    STATE_QUADS: deltaStateLength(shape) / 4,
    HISTORY_START: (valueHeads * valueLength * keyLength) / 4,
    QUERY_START: query.start / 4,
    QUERY_PITCH: query.pitch / 4,
    KEY_START: key.start / 4,
    KEY_PITCH: key.pitch / 4,
    VALUE_START: value.start / 4,
    VALUE_PITCH: value.pitch / 4,
    BETA_START: beta.start,
    BETA_PITCH: beta.pitch,
    RATE_START: rate.start,
    RATE_PITCH: rate.pitch,
  };
}

const nameOf = ({ keyHeads, valueHeads, keyLength, valueLength, grouped, isTiled }: DeltaShape): string =>
  `${keyHeads}x${keyLength}-${valueHeads}x${valueLength}${grouped === 'no' ? '' : `/${grouped}`}${isTiled ? '/tiled' : ''}`;

/** `place`: of rows and inputs. */
export function deltaInputsVariant(shape: DeltaShape, place: Place, settings: DeltaSettings): Variant {
  return {
    label: `delta_inputs/${nameOf(shape)}/${place}/sg${settings.lanes}`,
    file: 'delta_inputs.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl`, PLACE_Y: `place/y_${place}.wgsl` },
    constants: deltaConstants(shape, settings),
    bindings: [bindingKind('read', place), bindingKind('write', place), 'read', 'write', 'read', 'uniform', 'uniform'],
  };
}

/** `place`: of inputs and y. */
export function deltaRuleVariant(shape: DeltaShape, place: Place, settings: DeltaSettings): Variant {
  return {
    label: `delta_rule/${nameOf(shape)}/${place}/sg${settings.lanes}`,
    file: 'delta_rule.wgsl',
    includes: { PLACE_X: `place/x_${place}.wgsl`, PLACE_Y: `place/y_${place}.wgsl` },
    constants: deltaConstants(shape, settings),
    bindings: [bindingKind('read', place), bindingKind('write', place), 'read', 'write'],
  };
}

export interface DeltaBuffers {
  /** [token][deltaRow] f32. */
  readonly rows: Vectors;
  /** Scratch: [token][deltaInputLength] f32, in the same kind of place. */
  readonly inputs: Vectors;
  /** [token][value head][value length] f32, in the same kind of place. */
  readonly y: Vectors;
  /** [block][deltaStateLength] f32. */
  readonly state: Slice;
  readonly batch: Slice;
  /** [channel][taps] f32. */
  readonly taps: Slice;
  /** [value heads] f32 in uniform buffers: below zero, what softplus(rate + bias) is multiplied by; and the bias. */
  readonly rates: Slice;
  readonly rateBiases: Slice;
}

/** One step of the recurrence for every token of every sequence; the state of each goes on from where it was. */
export function deltaRule(shape: DeltaShape, { rows, inputs, y, state, batch, taps, rates, rateBiases }: DeltaBuffers, settings: DeltaSettings): Operation[] {
  const slices = Math.ceil(deltaInputLength(shape) / 4 / settings.lanes);
  const common = { choose: () => 0, gridX: (counts: StepCounts): number => counts.sequences ?? 0 };
  return [
    {
      ...common,
      variants: [deltaInputsVariant(shape, placeOf(inputs), settings)],
      resources: [rows, inputs, batch, state, taps, rates, rateBiases],
      gridY: () => slices,
    },
    {
      ...common,
      variants: [deltaRuleVariant(shape, placeOf(y), settings)],
      resources: [inputs, y, batch, state],
      gridY: () => (shape.valueHeads * shape.valueLength) / 4,
    },
  ];
}

/** Vectors of a lane. */
const run = 16;

/** `length`: f32 of a block, a multiple of 4. */
export function clearStatesVariant(length: number, { lanes, layout }: DeltaSettings): Variant {
  return {
    label: `clear_states/${length}/sg${lanes}`,
    file: 'clear_states.wgsl',
    constants: { ...layout, LANES: lanes, RUN: run, STATE_QUADS: length / 4 },
    bindings: ['read', 'write'],
  };
}

export function clearStates(length: number, state: Slice, batch: Slice, settings: DeltaSettings): Operation {
  return {
    variants: [clearStatesVariant(length, settings)],
    resources: [batch, state],
    choose: () => 0,
    gridX: (counts) => counts.stateClears ?? 0,
    gridY: () => Math.ceil(length / 4 / settings.lanes / run),
  };
}
