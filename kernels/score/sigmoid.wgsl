// Scores of experts: sigmoid of each logit (DeepSeek-V3, GLM).
fn score(logit: f32, greatest: f32) -> f32 {
  return 1.0 / (1.0 + exp(-max(logit, -87.0)));
}
