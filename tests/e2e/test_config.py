"""`swe-agent config` from the outside: what is shown, what is written, what is refused."""

import json
import os
import pty
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.e2e.conftest import write

WRITTEN = """\
# Mine, since 2024.
budget = 3.0  # dollars

[models."ollama/q"]
api_base = "http://127.0.0.1:1"  # on this machine
"""


@pytest.fixture
def user(machine):
    """A user whose keyring is a file, and whose config has comments."""
    (machine.home / "config.toml").write_text(WRITTEN)
    machine.plugins = Path(__file__).parent.parent
    machine.extra |= {"PYTHON_KEYRING_BACKEND": "keyring_file.Keyring", "FILERING": str(machine.home / "ring.json")}
    return machine


def feed(machine, text, *arguments):
    return subprocess.run(
        machine.command(*arguments), env=machine.environment, cwd=machine.home, input=text, text=True,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def config(machine):
    return (machine.home / "config.toml").read_text()


@pytest.mark.slow
def test_where_each_value_is_from(user, calculator):
    write(calculator, {".swe-agent.toml": 'test = "make test"\n'})
    user.extra["SWE_AGENT_ROUNDS"] = "5"
    told = user.json("config", "show", cwd=calculator / "calc")
    found = told["settings"]
    assert found["budget"] == {"value": 3.0, "from": str(user.home / "config.toml")}
    assert found["rounds"] == {"value": 5, "from": "$SWE_AGENT_ROUNDS"}
    assert found["test"] == {"value": "make test", "from": "the repository's .swe-agent.toml"}
    assert found["effort"] == {"value": "", "from": "default"}
    assert told["models"]["ollama/q"]["values"] == {"api_base": "http://127.0.0.1:1"}
    assert told["models"]["ollama/q"]["key"].startswith("none is sent to its own api_base")
    shown = user.run("config", cwd=calculator)
    assert shown.returncode == 0
    assert "models.ollama/q.api_base" in shown.stdout
    assert "$SWE_AGENT_ROUNDS" in shown.stdout


@pytest.mark.slow
def test_keys_are_never_shown(user):
    user.extra |= {"GROQ_API_KEY": "canary-1234567", "OLLAMA_API_KEY": "canary-2345671"}
    user.extra["SWE_AGENT_MODEL"] = "mistral/mistral-large-latest"
    assert feed(user, "canary-7654321\n", "config", "key", "mistral").returncode == 0
    assert user.run("config", "set", "models.groq/x.effort", "low").returncode == 0
    for done in (user.run("config"), user.run("config", "show", "--json")):
        assert "canary" not in done.stdout + done.stderr
        assert "set in $GROQ_API_KEY" in done.stdout
        assert "in the system's keyring" in done.stdout
        assert "none is sent to its own api_base" in done.stdout
        assert "$OLLAMA_API_KEY" not in done.stdout


@pytest.mark.slow
def test_run_doctor_and_config_show_find_same_key(user):
    user.extra |= {"OTHER_KEY": "canary-1234567", "DEEPSEEK_API_KEY": "canary-2345671"}
    (user.home / "config.toml").write_text(
        'model = "openai/gpt-4.1"\n[models."gpt-4.1"]\nkey_env = "OTHER_KEY"\neffort = "low"\n'
    )
    for model, where in (("openai/gpt-4.1", "set in $OTHER_KEY"), ("deepseek-chat", "set in $DEEPSEEK_API_KEY")):
        user.extra["SWE_AGENT_MODEL"] = model
        assert user.json("config")["models"][model]["key"] == where
        (key,) = [check["found"] for check in user.json("doctor")["checks"] if check["name"] == "key"]
        assert key == where


def test_keys_in_other_places_are_not_shown_either(user):
    (user.home / "config.toml").write_text(
        f'test = "TOKEN=ghp_{"a1" * 20} make"\n[models.x]\napi_base = "http://me:canary-1234567@127.0.0.1:1/v1"\n'
    )
    told = user.json("config")
    assert told["models"]["x"]["values"]["api_base"] == "http://127.0.0.1:1/v1"
    assert "a1a1" not in told["settings"]["test"]["value"]


@pytest.mark.slow
def test_setting_keeps_comments_and_order(user):
    for name, value in (
        ("budget", "4"), ("model", "openai/gpt-4.1"), ("models.openai/gpt-4.1.price_in", "2.5"),
        ("models.ollama/q.max_output", "512"), ("update_tests", "true"), ("setup", 'say "hi" # ä'),
    ):  # fmt: skip
        done = user.run("config", "set", name, value)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    text = config(user)
    assert text.startswith("# Mine, since 2024.\nbudget = 4.0  # dollars\n")
    assert 'api_base = "http://127.0.0.1:1"  # on this machine\n' in text
    assert tomllib.loads(text) == {
        "budget": 4.0, "model": "openai/gpt-4.1", "update_tests": True, "setup": 'say "hi" # ä',
        "models": {
            "openai/gpt-4.1": {"price_in": 2.5},
            "ollama/q": {"api_base": "http://127.0.0.1:1", "max_output": 512},
        },
    }  # fmt: skip
    for name in ("model", "update_tests", "setup", "models.openai/gpt-4.1", "models.ollama/q.max_output"):
        assert user.run("config", "unset", name).returncode == 0
    assert tomllib.loads(config(user)) == tomllib.loads(WRITTEN.replace("3.0", "4.0"))
    assert "# on this machine" in config(user)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "budget", "lots"), "budget cannot be 'lots'"),
        (("set", "budget", "nan"), "budget cannot be"),
        (("set", "budget", "--", "-1"), "budget cannot be '-1'"),
        (("set", "memory", "1t"), "memory cannot be"),
        (("set", "colour", "red"), "no setting named 'colour'"),
        (("set", "models", "x"), "is a table"),
        (("set", "models.x", "1"), "is a table"),
        (("set", "models.openai/gpt-4.1.api_bas", "x"), "no field 'api_bas'"),
        (("set", "models.openai/gpt-4.1", "x"), "is a table"),
        (("set", "models.x.price_in", "cheap"), "price_in cannot be"),
        (("set", "models.x.calls", "morse"), "calls cannot be"),
        (("set", "models..price_in", "1"), "names no model"),
        (("set", "budget"), "takes NAME VALUE"),
        (("unset", "model"), "not set in"),
        (("unset", "models.nothing"), "not set in"),
        (("key", "open ai"), "is not a provider or model"),
        (("path", "x"), "takes no arguments"),
        (("show", "--in-clear"), "are for `config key`"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_what_is_refused_leaves_file_alone(user, arguments, said):
    done = user.run("config", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert config(user) == WRITTEN


@pytest.mark.slow
def test_first_setting_makes_file_and_link_stays_link(machine):
    file = machine.home / "config.toml"
    file.unlink()
    machine.extra["SWE_AGENT_CONFIG"] = str(machine.home / "new" / "config.toml")
    assert machine.run("config", "set", "prompts", "mine").returncode == 0
    made = machine.home / "new" / "config.toml"
    assert tomllib.loads(made.read_text()) == {"prompts": str(machine.home / "mine")}
    assert machine.run("config", "path").stdout == f"{made}\n"
    file.symlink_to(made)
    made.chmod(0o644)
    machine.extra["SWE_AGENT_CONFIG"] = str(file)
    assert machine.run("config", "set", "rounds", "2").returncode == 0
    assert file.is_symlink()
    assert made.stat().st_mode & 0o777 == 0o644
    assert tomllib.loads(made.read_text())["rounds"] == 2


@pytest.mark.slow
def test_damaged_file_is_said_and_stays(user):
    for text in ("budget = [", "\udcff"):
        (user.home / "config.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
        done = user.run("config", "set", "rounds", "2")
        assert done.returncode == 3
        assert "config.toml cannot be read" in done.stderr
        assert (user.home / "config.toml").read_bytes() == text.encode("utf-8", "surrogateescape")


@pytest.mark.slow
def test_bad_value_can_be_mended_by_command(user):
    (user.home / "config.toml").write_text("budget = 'lots'\nrounds = -1\n")
    assert user.run("config").returncode == 3
    assert user.run("config", "set", "budget", "1").returncode == 0
    assert user.run("config", "unset", "rounds").returncode == 0
    assert user.run("config").returncode == 0


def test_what_has_no_effect_is_said(user):
    user.extra["SWE_AGENT_ROUNDS"] = "5"
    done = user.run("config", "set", "rounds", "2")
    assert done.returncode == 0
    assert "no effect while SWE_AGENT_ROUNDS" in done.stderr


@pytest.mark.slow
def test_keys_from_pipe_go_to_keyring(user):
    done = feed(user, "key-from-pipe\n", "config", "key", "openai")
    assert (done.returncode, done.stdout) == (0, "")
    assert "in the system's keyring" in done.stderr
    assert json.loads((user.home / "ring.json").read_text()) == {"swe-agent openai": "key-from-pipe"}
    assert "key-from-pipe" not in config(user)
    assert user.run("config", "key", "openai", "--delete").returncode == 0
    assert json.loads((user.home / "ring.json").read_text()) == {}
    assert user.run("config", "key", "openai", "--delete").returncode == 2


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "schlüssel\n", "a\x1b[31mb\n"])
def test_what_is_no_key(user, text):
    done = feed(user, text, "config", "key", "openai")
    assert done.returncode == 2
    assert not (user.home / "ring.json").exists()


def test_without_keyring_only_in_clear_when_asked(user):
    user.extra["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    refused = feed(user, "k-1234\n", "config", "key", "openai/gpt-4.1")
    assert refused.returncode == 3
    assert "OPENAI_API_KEY" in refused.stderr
    assert "--in-clear" in refused.stderr
    assert not (user.home / "keys.toml").exists()
    done = feed(user, "k-1234\n", "config", "key", "openai/gpt-4.1", "--in-clear")
    assert done.returncode == 0
    assert "in plain text in" in done.stderr
    assert (user.home / "keys.toml").stat().st_mode & 0o777 == 0o600


def test_key_typed_at_terminal_is_not_echoed(user):
    parent, child = pty.openpty()
    process = subprocess.Popen(
        user.command("config", "key", "openai"), env=user.environment, cwd=user.home, stdin=child, stdout=child,
        stderr=child, start_new_session=True,
    )  # fmt: skip
    os.close(child)
    screen = b""
    while b"not shown" not in screen:
        screen += os.read(parent, 1000)
    os.write(parent, b"typed-secret\n")
    try:
        while more := os.read(parent, 1000):
            screen += more
    except OSError:
        pass  # the terminal is gone with the process
    assert process.wait(30) == 0
    os.close(parent)
    assert b"typed-secret" not in screen
    assert "typed-secret" in (user.home / "ring.json").read_text()


@pytest.mark.slow
def test_theme_has_name_that_there_is(machine):
    wrong = machine.run("config", "set", "session.theme", "drak")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "There is no theme 'drak'" in wrong.stderr
    for name in ("auto", "light", "nord"):
        assert machine.run("config", "set", "session.theme", name).returncode == 0
        assert tomllib.loads(config(machine))["session"]["theme"] == name
