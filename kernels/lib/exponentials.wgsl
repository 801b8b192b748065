// What activation functions are made of, for arguments of any size and without infinities.
fn sigmoid(value: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp(-max(value, vec4f(-87.0))));
}

// Near zero (e - 1) / (e + 1) loses what the series keeps: x - x^3/3 + 2x^5/15 - 17x^7/315 + 62x^9/2835.
fn hyperbolicTangent(value: vec4f) -> vec4f {
  let grown = exp(2.0 * clamp(value, vec4f(-10.0), vec4f(10.0)));
  let square = value * value;
  let series = value * (1.0 + square * (-0.33333333 + square * (0.13333333 + square * (-0.05396825 + square * 0.02186949))));
  return select((grown - 1.0) / (grown + 1.0), series, abs(value) < vec4f(0.25));
}

// 1 - erf(value) for value >= 0: Abramowitz and Stegun 1964, 7.1.26; off by 1.5e-7 at most.
fn complementaryError(value: vec4f) -> vec4f {
  let t = 1.0 / (1.0 + 0.3275911 * value);
  let sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sum * exp(-min(value * value, vec4f(87.0)));
}
