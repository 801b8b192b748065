"""Instructor, which makes objects of pydantic out of answers, as it is. Run by python.test.ts, which says where the servers are."""
import os
import unittest
from typing import Literal

import instructor
import openai
from pydantic import BaseModel, ConfigDict, Field


class Triage(BaseModel):
    # Else the schema allows more fields, and a model that knows nothing adds them without end.
    model_config = ConfigDict(extra="forbid")
    level: int = Field(ge=1, le=5)
    area: Literal["emergency", "ward", "home"]


class WithInstructor(unittest.TestCase):
    """A tiny model of random weights: the grammar alone makes the first answer fit."""

    def test_an_object_of_a_model_that_knows_nothing(self):
        raw = openai.OpenAI(base_url=os.environ["INWARD_URL"] + "/v1", api_key=os.environ["INWARD_API_KEY"], max_retries=0)
        client = instructor.from_openai(raw, mode=instructor.Mode.JSON_SCHEMA)
        for seed in range(3):
            triage = client.create(
                model="default",
                messages=[{"role": "user", "content": "Chest pain."}],
                response_model=Triage,
                max_retries=0,
                max_tokens=400,
                seed=seed,
            )
            self.assertIsInstance(triage, Triage)


if __name__ == "__main__":
    unittest.main()
