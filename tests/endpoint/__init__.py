"""An HTTP endpoint on loopback that imitates model providers in three protocols, including their faults.

    with Endpoint([Answer(text="I look.", actions=[("view", {"path": "a.py"})]), Answer(text="Done.")]) as endpoint:
        litellm.completion("openai/any", messages, api_base=endpoint.openai, api_key="k")
        assert endpoint.requests[0].body["model"] == "any"

`python -m tests.endpoint --script FILE` runs it in a separate process, for tests that kill the driver.
There is one module per protocol: `chat` (OpenAI chat completions), `messages` (Anthropic), `responses` (OpenAI).
"""

from tests.endpoint.answer import Answer, Request, Rule, Tokens, rules
from tests.endpoint.server import Endpoint

__all__ = ["Answer", "Endpoint", "Request", "Rule", "Tokens", "rules"]
