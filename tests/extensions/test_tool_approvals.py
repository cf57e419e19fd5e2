"""Which tools of extensions the user is asked about before they act."""

from tests.agent.engine.test_permission_checks import questions_about


def test_tool_of_extension_needs_approval_unless_limited_to_repository(bench) -> None:
    """The tools with a question are browser, python, run_tests, session and shell."""
    assert questions_about(bench) == ["the", "this", "tests", "this", "this"]
