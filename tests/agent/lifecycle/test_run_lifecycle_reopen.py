"""Current and recorded settings of a resumed run."""

from pathlib import Path

from tests.agent.conftest import Bench, line

OLD = '[models."openai/x"]\napi_base = "http://127.0.0.1:1/v1"\nprice_in = 1.0\nprice_out = 2.0\ncontext = 9000\n'
NEW = "model_timeout = 7.0\nbudget = 99.0\n" + OLD.replace(":1/", ":2/").replace("9000", "5000")


def test_resume_uses_current_address_and_recorded_context_size(bench: Bench, own_config: Path) -> None:
    from agent.config.settings import load_settings

    own_config.write_text(OLD)
    bench.begin(line("x"), models=load_settings().models)
    own_config.write_text(NEW)
    engine = bench.engine()
    engine.close()
    table = engine.settings.models["openai/x"]
    assert (table.api_base, table.context) == ("http://127.0.0.1:2/v1", 9000)
    assert (engine.settings.model_timeout, engine.settings.budget) == (7.0, 2.0)


def test_model_table_without_record_is_taken_from_config(bench: Bench, own_config: Path) -> None:
    bench.begin(line("x"))
    own_config.write_text(NEW)
    engine = bench.engine()
    engine.close()
    assert engine.settings.models["openai/x"].context == 5000


def test_resume_without_config_changes_uses_recorded_settings(bench: Bench) -> None:
    bench.begin(line("x"), rounds=2)
    engine = bench.engine()
    engine.close()
    assert (engine.settings.retry_wait, engine.settings.rounds) == (0, 2)


def test_password_in_address_is_not_recorded(bench: Bench, own_config: Path) -> None:
    from agent.config.settings import load_settings

    own_config.write_text(OLD.replace("http://", "http://user:hunter2secret@"))
    directory = bench.begin(line("x"), models=load_settings().models)
    assert "hunter2secret" not in (directory / "journal.jsonl").read_text()
    engine = bench.engine()
    engine.close()
    assert engine.settings.models["openai/x"].api_base == "http://user:hunter2secret@127.0.0.1:1/v1"
