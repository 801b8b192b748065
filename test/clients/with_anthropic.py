"""Anthropic's client for Python, as it is. Run by python.test.ts, which says where the servers are."""
import os
import unittest

import anthropic

FIND = {
    "name": "find",
    "description": "Finds a patient.",
    "input_schema": {"type": "object", "properties": {"ward": {"type": "string"}}, "required": ["ward"]},
}
WHERE = [{"role": "user", "content": "Where is he?"}]
ASKED = {"model": "default", "messages": WHERE, "max_tokens": 200, "tools": [FIND]}


def connect(name="INWARD_URL", **more):
    key = os.environ["INWARD_API_KEY"] if name == "INWARD_URL" else "none"
    return anthropic.Anthropic(base_url=os.environ[name], **{"api_key": key, "max_retries": 0, **more})


class WithModel(unittest.TestCase):
    """A tiny model of random weights: what it says means nothing, its form does."""

    def setUp(self):
        self.client = connect()
        self.asked = {"model": "default", "messages": [{"role": "user", "content": "Hi"}]}

    def test_stream_adds_up_to_the_whole(self):
        asked = {**self.asked, "max_tokens": 24, "extra_body": {"temperature": 0}}
        whole = self.client.messages.create(**asked)
        with self.client.messages.stream(**asked) as stream:
            final = stream.get_final_message()
        self.assertNotEqual(whole.content[0].text, "")
        self.assertEqual(final.content[0].text, whole.content[0].text)
        self.assertEqual((final.stop_reason, final.usage.output_tokens), (whole.stop_reason, whole.usage.output_tokens))

    def test_tokens_are_counted(self):
        answer = self.client.messages.create(**self.asked, max_tokens=1)
        used = answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0)
        self.assertEqual(self.client.messages.count_tokens(**self.asked).input_tokens, used)

    def test_errors_have_their_classes(self):
        with self.assertRaises(anthropic.NotFoundError) as missing:
            self.client.messages.create(**{**self.asked, "model": "claude"}, max_tokens=1)
        self.assertEqual(missing.exception.body["error"]["type"], "not_found_error")
        with self.assertRaises(anthropic.BadRequestError):
            self.client.messages.create(**self.asked, max_tokens=0)
        with self.assertRaises(anthropic.AuthenticationError):
            connect(api_key="wrong").messages.create(**self.asked, max_tokens=1)


class WithScripts(unittest.TestCase):
    """Servers whose answers are known."""

    def test_a_round_with_a_tool(self):
        client = connect("AGENT_URL")
        first = client.messages.create(**ASKED)
        thought, call = first.content
        self.assertEqual((thought.type, thought.thinking), ("thinking", "Which ward?"))
        self.assertEqual((call.name, call.input, first.stop_reason), ("find", {"ward": "Ä3"}, "tool_use"))
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": '{"bed": 4}'}]}
        second = client.messages.create(**{**ASKED, "messages": [*WHERE, {"role": "assistant", "content": first.content}, result]})
        self.assertEqual((second.content[0].text, second.stop_reason), ("In bed 4.", "end_turn"))

    def test_the_same_as_a_stream(self):
        with connect("AGENT_URL").messages.stream(**ASKED) as stream:
            final = stream.get_final_message()
        self.assertEqual(final.content[1].input, {"ward": "Ä3"})

    def test_a_stream_that_is_left(self):
        with connect("SLOW_URL").messages.stream(**{**ASKED, "max_tokens": 3000}) as stream:
            for text, _ in zip(stream.text_stream, range(5)):
                self.assertEqual(set(text), {"x"})

    def test_a_full_queue(self):
        with self.assertRaises(anthropic.RateLimitError):
            connect("FULL_URL").messages.create(**ASKED)


if __name__ == "__main__":
    unittest.main()
