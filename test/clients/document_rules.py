"""A check of ours for schemathesis: what fits the schema of a route may be refused only for what no schema says. Loaded by schemathesis.test.ts."""
import schemathesis

# The template, the length of the context and the grammar of an answer are the model's; that this one is a decoder too.
OF_THE_MODEL = {"context_length_exceeded", "rejected"}
# Fields of which one says what another may be, by the beginning of the path that the refusal names.
TOGETHER = (
    "stream_options", "top_logprobs", "priority", "best_of", "n", "max_tokens", "ignore_eos", "logit_bias",
    # Ids that the vocabulary does not have; the JSON text of arguments; the last message; switches that a template does not read.
    "tokens", "prompt", "input", "messages", "system", "chat_template_kwargs", "reasoning_effort", "reasoning", "thinking", "output_config",
    # Schemas of answers and of tools.
    "response_format", "tools", "tool_choice", "text",
)


@schemathesis.check
def refused_for_what_no_schema_says(ctx, response, case):
    generation = case.meta.generation if case.meta else None
    if response.status_code != 400 or generation is None or not generation.mode.is_positive:
        return
    error = response.json()["error"]
    path = (error["param"] or "").split(".")[0].split("[")[0]
    if error["code"] in OF_THE_MODEL or path in TOGETHER:
        return
    raise AssertionError(f"what fits the schema was refused: {error['message']}")
