// Scores of experts: softmax over all of them, in which the greatest logit weighs 1; the sum comes at the end.
fn score(logit: f32, greatest: f32) -> f32 {
  return exp(logit - greatest);
}
