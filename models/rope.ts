/**
 * Owns the frequencies and tables of rotary position embeddings (Su et al. 2021) with the scalings that checkpoints name, as Hugging Face
 * transformers computes them (modeling_rope_utils.py): in double precision, frequencies and angles rounded to f32 as there.
 * Refuses to know a family: what a configuration file says is read by the family.
 */

export type RopeScaling =
  | { readonly kind: 'default' }
  | { readonly kind: 'linear'; readonly factor: number }
  /** Llama 3.1: wavelengths over originalLength / low are divided by the factor, those under originalLength / high are kept. */
  | { readonly kind: 'llama3'; readonly factor: number; readonly low: number; readonly high: number; readonly originalLength: number }
  /** Peng et al. 2023. Without an attention factor: from mscale and mscaleAllDim where both are there, else from the factor. */
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly originalLength: number;
      readonly betaFast?: number;
      readonly betaSlow?: number;
      readonly truncate?: boolean;
      readonly attentionFactor?: number;
      readonly mscale?: number;
      readonly mscaleAllDim?: number;
    }
  /** Ding et al. 2024. One divisor a pair; which list is chosen once, by the positions that the engine has room for. */
  | {
      readonly kind: 'longrope';
      readonly shortFactors: readonly number[];
      readonly longFactors: readonly number[];
      readonly originalLength: number;
      /** Positions the model was made for. */
      readonly trainedLength: number;
      readonly attentionFactor?: number;
    }
  /** Gemma 4: exponents go by the head length, and pairs past the part stay as they are. The whole head is `rotaryLength`. */
  | { readonly kind: 'proportional'; readonly part: number; readonly factor?: number }
  /** One divisor a pair, as GGUF's rope_freqs has them. */
  | { readonly kind: 'divisors'; readonly divisors: ArrayLike<number> };

export interface Rope {
  /** Angle of one position for each pair; whole numbers of f32. */
  readonly frequencies: Float64Array;
  /** What cosines and sines are multiplied by. */
  readonly factor: number;
}

/** `rotaryLength`: channels of a head that turn; `contextLength`: positions the engine has room for, which longrope goes by. */
export function ropeFrequencies(rotaryLength: number, base: number, scaling: RopeScaling = { kind: 'default' }, contextLength = 0): Rope {
  const plain = Float64Array.from({ length: rotaryLength / 2 }, (_, i) => Math.fround(1 / base ** ((2 * i) / rotaryLength)));
  const scaled = (scale: (frequency: number, pair: number) => number, factor = 1): Rope => ({
    frequencies: plain.map((frequency, pair) => Math.fround(scale(frequency, pair))),
    factor,
  });
  switch (scaling.kind) {
    case 'default':
      return { frequencies: plain, factor: 1 };
    case 'linear':
      return scaled((frequency) => frequency / scaling.factor);
    case 'llama3':
      return scaled((frequency) => scaleLlama3(frequency, scaling));
    case 'yarn':
      return scaled(yarnScale(rotaryLength, base, scaling), yarnFactor(scaling));
    case 'longrope': {
      const { shortFactors, longFactors, originalLength, trainedLength, attentionFactor } = scaling;
      const factors = contextLength > originalLength ? longFactors : shortFactors;
      const growth = trainedLength / originalLength;
      return scaled(
        (frequency, pair) => frequency / (factors[pair] ?? 1),
        attentionFactor ?? (growth <= 1 ? 1 : Math.sqrt(1 + Math.log(growth) / Math.log(originalLength))),
      );
    }
    case 'proportional': {
      const turning = Math.floor((scaling.part * rotaryLength) / 2);
      return scaled((frequency, pair) => (pair < turning ? frequency / (scaling.factor ?? 1) : 0));
    }
    case 'divisors':
      return scaled((frequency, pair) => frequency / (scaling.divisors[pair] ?? 1));
  }
}

/** Table [position][pair] of (cos, sin), times the factor. */
export function rotationTable({ frequencies, factor }: Rope, positions: number): Float32Array {
  const pairs = frequencies.length;
  const table = new Float32Array(positions * pairs * 2);
  for (let position = 0; position < positions; position++) {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = Math.fround(position * (frequencies[pair] ?? 0));
      table[(position * pairs + pair) * 2] = Math.cos(angle) * factor;
      table[(position * pairs + pair) * 2 + 1] = Math.sin(angle) * factor;
    }
  }
  return table;
}

type Scaling<Kind> = Extract<RopeScaling, { readonly kind: Kind }>;

/** How much of a frequency stays: 1 for short wavelengths, 0 for long ones, which are divided by the factor, and a ramp in turns between. */
function llama3Share(wavelength: number, { low, high, originalLength }: Omit<Scaling<'llama3'>, 'kind' | 'factor'>): number {
  if (wavelength < originalLength / high) return 1;
  if (wavelength > originalLength / low) return 0;
  return (originalLength / wavelength - low) / (high - low);
}

function scaleLlama3(frequency: number, scaling: Scaling<'llama3'>): number {
  const share = llama3Share((2 * Math.PI) / frequency, scaling);
  return ((1 - share) * frequency) / scaling.factor + share * frequency;
}

/** Pairs that turn often keep their frequency, those that turn rarely are divided by the factor, with a ramp between. */
function yarnScale(
  rotaryLength: number,
  base: number,
  { factor, originalLength, betaFast = 32, betaSlow = 1, truncate = true }: Scaling<'yarn'>,
): (frequency: number, pair: number) => number {
  /** The pair that turns so often over the original length. */
  const pairOf = (turns: number): number => (rotaryLength * Math.log(originalLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const low = Math.max(truncate ? Math.floor(pairOf(betaFast)) : pairOf(betaFast), 0);
  const last = Math.min(truncate ? Math.ceil(pairOf(betaSlow)) : pairOf(betaSlow), rotaryLength - 1);
  const high = last === low ? last + 0.001 : last;
  return (frequency, pair) => {
    const ramp = Math.min(1, Math.max(0, (pair - low) / (high - low)));
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  };
}

function yarnFactor({ factor, attentionFactor, mscale, mscaleAllDim }: Scaling<'yarn'>): number {
  const grow = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  return attentionFactor ?? (mscale && mscaleAllDim ? grow(mscale) / grow(mscaleAllDim) : grow(1));
}
