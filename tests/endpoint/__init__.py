"""An HTTP endpoint on loopback that speaks three protocols as model providers do, right and wrong.

    with Endpoint([Answer(text="I look.", actions=[("view", {"path": "a.py"})]), Answer(text="Done.")]) as endpoint:
        litellm.completion("openai/any", messages, api_base=endpoint.openai, api_key="k")
        assert endpoint.requests[0].body["model"] == "any"

`python -m tests.endpoint --script FILE` is the same in a process of its own, for tests that kill the driver.
One file a protocol: `chat` (OpenAI chat completions), `messages` (Anthropic), `responses` (OpenAI responses).
"""

from tests.endpoint.answer import Answer, Request, Rule, Tokens, rules
from tests.endpoint.server import Endpoint

__all__ = ["Answer", "Endpoint", "Request", "Rule", "Tokens", "rules"]
