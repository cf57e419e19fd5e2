"""No text of GitHub takes long to be reduced to what a reader of its page sees."""

import pytest

from extensions.github.api.hidden_text import visible_text
from tests.aci.observation.test_untrusted_text import MAX_LENGTH, PATHOLOGICAL_TEXTS


@pytest.mark.slow
@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", PATHOLOGICAL_TEXTS)
def test_pathological_text_is_processed_quickly(name: str) -> None:
    text = PATHOLOGICAL_TEXTS[name][: MAX_LENGTH - 1] + "z"
    assert len(visible_text(text).text) <= MAX_LENGTH
