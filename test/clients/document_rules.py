"""A check of ours for schemathesis: what fits the schema of a route may be refused only for what no schema says. Loaded by schemathesis.test.ts."""
import re

import schemathesis

# The template, the length of the context and the grammar of an answer are the model's; that this one is a decoder too.
OF_THE_MODEL = {"context_length_exceeded", "rejected"}
# Places that a refusal may name, and why the schema does not say it.
PLACES = re.compile(
    "|".join(
        [
            r"tokens|prompt(\[\])?|input(\[\])?|logit_bias",  # ids that the vocabulary does not have
            r".*\.(function\.)?arguments",  # the JSON text of an object
            r"messages\[\]\.(role|content\[\]\.type)",  # Anthropic's order of turns, and which blocks are whose
            r"max_tokens|top_logprobs|priority|best_of|n|ignore_eos",  # one field says what another may be
            r"chat_template_kwargs\..*|reasoning_effort|reasoning\.effort|thinking|output_config\.effort",  # the template does not read it
            r"response_format|text\.format.*|output_config\.format.*|tool_choice.*|tools.*",  # schemas of answers and calls
        ]
    )
)


@schemathesis.check
def refused_for_what_no_schema_says(ctx, response, case):
    generation = case.meta.generation if case.meta else None
    if response.status_code != 400 or generation is None or not generation.mode.is_positive:
        return
    error = response.json()["error"]
    if error["code"] in OF_THE_MODEL or PLACES.fullmatch(re.sub(r"\[\d+\]", "[]", error["param"] or "")):
        return
    raise AssertionError(f"what fits the schema was refused: {error['message']}")
