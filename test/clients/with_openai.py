"""OpenAI's client for Python, as it is. Run by python.test.ts, which says where the servers are."""
import asyncio
import json
import os
import unittest
from typing import Literal

import openai
from pydantic import BaseModel, Field

FIND = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds a patient.",
        "parameters": {"type": "object", "properties": {"ward": {"type": "string"}}, "required": ["ward"]},
    },
}
WHERE = [{"role": "user", "content": "Where is he?"}]


class Vitals(BaseModel):
    pulse: int = Field(ge=20, le=300)
    unit: Literal["bpm", "Hz"]
    isRegular: bool


def connect(name="INWARD_URL", kind=openai.OpenAI, **more):
    key = os.environ["INWARD_API_KEY"] if name == "INWARD_URL" else "none"
    return kind(base_url=os.environ[name] + "/v1", **{"api_key": key, "max_retries": 0, **more})


class WithModel(unittest.TestCase):
    """A tiny model of random weights: what it says means nothing, its form does."""

    def setUp(self):
        self.client = connect()
        self.asked = {"model": "default", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 24, "temperature": 0}

    def test_models(self):
        (model,) = self.client.models.list().data
        self.assertEqual(self.client.models.retrieve(model.id).id, model.id)

    def test_stream_adds_up_to_the_whole(self):
        whole = self.client.chat.completions.create(**self.asked)
        chunks = list(self.client.chat.completions.create(**self.asked, stream=True, stream_options={"include_usage": True}))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        self.assertNotEqual(text, "")
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[-1].usage.completion_tokens, whole.usage.completion_tokens)

    def test_logprobs_are_those_of_the_greedy_choice(self):
        answer = self.client.chat.completions.create(**self.asked, logprobs=True, top_logprobs=3)
        for entry in answer.choices[0].logprobs.content:
            self.assertEqual(max(top.logprob for top in entry.top_logprobs), entry.logprob)

    def test_parsed_by_a_model_of_pydantic(self):
        for seed in range(3):
            asked = {**self.asked, "temperature": 1, "seed": seed, "max_tokens": 400}
            parsed = self.client.chat.completions.parse(**asked, response_format=Vitals).choices[0].message.parsed
            self.assertIsInstance(parsed, Vitals)

    def test_a_response_parsed_by_the_same(self):
        response = self.client.responses.parse(model="default", input="Hi", text_format=Vitals, max_output_tokens=400)
        self.assertIsInstance(response.output_parsed, Vitals)

    def test_completions_score_a_text(self):
        answer = self.client.completions.create(model="default", prompt="He is well.", max_tokens=0, echo=True, logprobs=1)
        scores = answer.choices[0].logprobs.token_logprobs
        self.assertTrue(all(score <= 0 for score in scores[1:]))
        self.assertEqual("".join(answer.choices[0].logprobs.tokens), "He is well.")

    def test_many_at_once(self):
        async def ask():
            async with connect(kind=openai.AsyncOpenAI) as client:
                return await asyncio.gather(*(client.chat.completions.create(**self.asked) for _ in range(6)))

        self.assertEqual(len({answer.choices[0].message.content for answer in asyncio.run(ask())}), 1)

    def test_errors_have_their_classes(self):
        create = self.client.chat.completions.create
        with self.assertRaises(openai.NotFoundError) as missing:
            create(**{**self.asked, "model": "gpt"})
        self.assertEqual((missing.exception.code, missing.exception.param), ("model_not_found", "model"))
        with self.assertRaises(openai.BadRequestError) as unknown:
            create(**self.asked, extra_body={"nothing": 1})
        self.assertEqual(unknown.exception.code, "unknown_parameter")
        with self.assertRaises(openai.BadRequestError) as image:
            part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
            create(**{**self.asked, "messages": [{"role": "user", "content": [part]}]})
        self.assertIn("messages[0].content", image.exception.param)
        with self.assertRaises(openai.AuthenticationError) as stranger:
            connect(api_key="wrong").models.list()
        self.assertEqual(stranger.exception.code, "key_invalid")
        with self.assertRaises(openai.BadRequestError):
            self.client.embeddings.create(model="default", input="a")


class WithScripts(unittest.TestCase):
    """Servers whose answers are known."""

    def test_a_round_with_a_tool(self):
        client = connect("AGENT_URL")
        first = client.chat.completions.create(model="default", messages=WHERE, tools=[FIND])
        (call,) = first.choices[0].message.tool_calls
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("find", {"ward": "Ä3"}))
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        result = {"role": "tool", "tool_call_id": call.id, "content": '{"bed": 4}'}
        second = client.chat.completions.create(model="default", messages=[*WHERE, first.choices[0].message, result], tools=[FIND])
        self.assertEqual(second.choices[0].message.content, "In bed 4.")

    def test_the_same_as_a_stream(self):
        with connect("AGENT_URL").chat.completions.stream(model="default", messages=WHERE, tools=[FIND]) as stream:
            final = stream.get_final_completion()
        (call,) = final.choices[0].message.tool_calls
        self.assertEqual(json.loads(call.function.arguments), {"ward": "Ä3"})

    def test_a_response_and_its_stream(self):
        tool = {"type": "function", **FIND["function"], "strict": False}
        asked = {"model": "default", "input": WHERE, "tools": [tool]}
        whole = connect("AGENT_URL").responses.create(**asked)
        with connect("AGENT_URL").responses.stream(**asked) as stream:
            final = stream.get_final_response()
        for response in (whole, final):
            thought, call = response.output
            self.assertEqual((thought.content[0].text, call.name, json.loads(call.arguments)), ("Which ward?", "find", {"ward": "Ä3"}))
            self.assertFalse(response.store)

    def test_a_stream_that_is_left(self):
        with connect("SLOW_URL").chat.completions.create(model="default", messages=WHERE, stream=True) as stream:
            for chunk, _ in zip(stream, range(5)):
                self.assertEqual(chunk.object, "chat.completion.chunk")

    def test_a_client_that_waits_no_longer(self):
        with self.assertRaises(openai.APITimeoutError):
            connect("SLOW_URL", timeout=0.3).chat.completions.create(model="default", messages=WHERE)

    def test_a_full_queue(self):
        with self.assertRaises(openai.RateLimitError) as full:
            connect("FULL_URL").chat.completions.create(model="default", messages=WHERE)
        self.assertEqual(full.exception.code, "queue_full")
        self.assertGreaterEqual(int(full.exception.response.headers["retry-after"]), 1)


if __name__ == "__main__":
    unittest.main()
