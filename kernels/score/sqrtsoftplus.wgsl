// Scores of experts: sqrt(log(1 + exp(logit))) (DeepSeek-V4). log(1 + e) of a small e is its series: the sum would round it away.
fn score(logit: f32, greatest: f32) -> f32 {
  let e = exp(-abs(logit));
  let softplus = max(logit, 0.0) + select(log(1.0 + e), e * (1.0 - e * (0.5 - e / 3.0)), e < 0.01);
  return sqrt(softplus);
}
