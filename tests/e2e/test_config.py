"""`swe-agent config` as a process: what it shows, writes and refuses."""

import json
import os
import pty
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.e2e.conftest import write

CONFIG = """\
# Mine, since 2024.
budget = 3.0  # dollars

[models."ollama/q"]
api_base = "http://127.0.0.1:1"  # on this machine
"""


@pytest.fixture
def user(machine):
    """A user with a file as keyring, and comments in the configuration."""
    (machine.home / "config.toml").write_text(CONFIG)
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
def test_show_reports_origin_of_each_value(user, calculator):
    write(calculator, {".swe-agent.toml": 'test = "make test"\n'})
    user.extra["SWE_AGENT_ROUNDS"] = "5"
    result = user.json("config", "show", cwd=calculator / "calc")
    settings = result["settings"]
    assert settings["budget"] == {"value": 3.0, "from": str(user.home / "config.toml")}
    assert settings["rounds"] == {"value": 5, "from": "$SWE_AGENT_ROUNDS"}
    assert settings["test"] == {"value": "make test", "from": "the repository's .swe-agent.toml"}
    assert settings["effort"] == {"value": "", "from": "default"}
    assert result["models"]["ollama/q"]["values"] == {"api_base": "http://127.0.0.1:1"}
    assert result["models"]["ollama/q"]["key"].startswith("none is sent to its own api_base")
    completed = user.run("config", cwd=calculator)
    assert completed.returncode == 0
    assert "models.ollama/q.api_base" in completed.stdout
    lines = [" ".join(line.split()) for line in completed.stdout.splitlines()]
    assert "rounds 5 Maximum number of rounds of work and proof. From $SWE_AGENT_ROUNDS." in lines
    assert "max_steps 100 Maximum number of model replies." in lines
    assert [line for line in lines if line in ("Model", "Tests", "Session", "Model ollama/q", "Other")] == [
        "Model", "Tests", "Session", "Model ollama/q",
    ]  # fmt: skip


@pytest.mark.slow
def test_get_prints_one_value(user):
    for name, value in (
        ("budget", "3"), ("workspace", "local"), ("session.mouse", "true"), ("prompts", ""),
        ("models.ollama/q.api_base", "http://127.0.0.1:1"), ("roles", "{}"),
    ):  # fmt: skip
        completed = user.run("config", "get", name)
        assert (completed.returncode, completed.stdout) == (0, f"{value}\n"), name
    assert user.run("config", "get", "registries").stdout.startswith("pypi.org, files.pythonhosted.org, ")
    result = user.json("config", "get", "budget")
    assert (result["name"], result["value"]) == ("budget", 3.0)


@pytest.mark.slow
def test_keys_are_never_shown(user):
    user.extra |= {"GROQ_API_KEY": "canary-1234567", "OLLAMA_API_KEY": "canary-2345671"}
    user.extra["SWE_AGENT_MODEL"] = "mistral/mistral-large-latest"
    assert feed(user, "canary-7654321\n", "config", "key", "mistral").returncode == 0
    assert user.run("config", "set", "models.groq/x.effort", "low").returncode == 0
    for completed in (user.run("config"), user.run("config", "show", "--json")):
        assert "canary" not in completed.stdout + completed.stderr
        assert "set in $GROQ_API_KEY" in completed.stdout
        assert "in the system's keyring" in completed.stdout
        assert "none is sent to its own api_base" in completed.stdout
        assert "$OLLAMA_API_KEY" not in completed.stdout


@pytest.mark.slow
def test_doctor_and_config_show_find_same_key(user):
    user.extra |= {"OTHER_KEY": "canary-1234567", "DEEPSEEK_API_KEY": "canary-2345671"}
    (user.home / "config.toml").write_text(
        'model = "openai/gpt-4.1"\n[models."gpt-4.1"]\nkey_env = "OTHER_KEY"\neffort = "low"\n'
    )
    for model, location in (("openai/gpt-4.1", "set in $OTHER_KEY"), ("deepseek-chat", "set in $DEEPSEEK_API_KEY")):
        user.extra["SWE_AGENT_MODEL"] = model
        assert user.json("config")["models"][model]["key"] == location
        (key,) = [check["found"] for check in user.json("doctor")["checks"] if check["name"] == "key"]
        assert key == location


@pytest.mark.slow
def test_keys_in_values_are_not_shown(user):
    (user.home / "config.toml").write_text(
        f'test = "TOKEN=ghp_{"a1" * 20} make"\n[models.x]\napi_base = "http://me:canary-1234567@127.0.0.1:1/v1"\n'
    )
    result = user.json("config")
    assert result["models"]["x"]["values"]["api_base"] == "http://127.0.0.1:1/v1"
    assert "a1a1" not in result["settings"]["test"]["value"]


@pytest.mark.slow
def test_set_keeps_comments_and_order(user):
    for name, value in (
        ("budget", "4"), ("model", "openai/gpt-4.1"), ("models.openai/gpt-4.1.price_in", "2.5"),
        ("models.ollama/q.max_output", "512"), ("update_tests", "true"), ("setup", 'say "hi" # ä'),
    ):  # fmt: skip
        completed = user.run("config", "set", name, value)
        assert (completed.returncode, completed.stdout) == (0, ""), completed.stderr
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
    assert tomllib.loads(config(user)) == tomllib.loads(CONFIG.replace("3.0", "4.0"))
    assert "# on this machine" in config(user)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("set", "budget", "lots"), "Invalid value 'lots' for budget: must be a valid number"),
        (("set", "budget", "nan"), "for budget: must be a finite number"),
        (("set", "budget", "--", "-1"), "Invalid value '-1' for budget: must be greater"),
        (("set", "memory", "1t"), "for memory: "),
        (("set", "colour", "red"), "no setting named 'colour'"),
        (("set", "models", "x"), "is a table"),
        (("set", "models.x", "1"), "is a table"),
        (("set", "models.openai/gpt-4.1.api_bas", "x"), "no field 'api_bas'"),
        (("set", "models.openai/gpt-4.1", "x"), "is a table"),
        (("set", "models.x.price_in", "cheap"), "models.x.price_in: must be a valid number"),
        (("set", "models.x.calls", "morse"), "models.x.calls: must be 'auto'"),
        (("set", "models..price_in", "1"), "names no model"),
        (("set", "budget"), "takes NAME VALUE"),
        (("get", "colour"), "no setting named 'colour'"),
        (("get", "models.ollama/q.effort"), "models.ollama/q.effort is not set"),
        (("get",), "takes NAME"),
        (("unset", "model"), "not set in"),
        (("unset", "models.nothing"), "not set in"),
        (("key", "open ai"), "is not a provider or model"),
        (("path", "x"), "takes no arguments"),
        (("show", "--in-clear"), "are for `config key`"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_refused_command_does_not_change_file(user, arguments, message):
    completed = user.run("config", *arguments)
    assert (completed.returncode, completed.stdout) == (2, "")
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
    assert config(user) == CONFIG


@pytest.mark.slow
def test_set_creates_file_and_keeps_symbolic_link(machine):
    file = machine.home / "config.toml"
    file.unlink()
    machine.extra["SWE_AGENT_CONFIG"] = str(machine.home / "new" / "config.toml")
    assert machine.run("config", "set", "prompts", "mine").returncode == 0
    created = machine.home / "new" / "config.toml"
    assert tomllib.loads(created.read_text()) == {"prompts": str(machine.home / "mine")}
    assert machine.run("config", "path").stdout == f"{created}\n"
    file.symlink_to(created)
    created.chmod(0o644)
    machine.extra["SWE_AGENT_CONFIG"] = str(file)
    assert machine.run("config", "set", "rounds", "2").returncode == 0
    assert file.is_symlink()
    assert created.stat().st_mode & 0o777 == 0o644
    assert tomllib.loads(created.read_text())["rounds"] == 2


@pytest.mark.slow
def test_damaged_file_is_reported_and_unchanged(user):
    for text in ("budget = [", "\udcff"):
        (user.home / "config.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
        completed = user.run("config", "set", "rounds", "2")
        assert completed.returncode == 3
        assert "config.toml cannot be read" in completed.stderr
        assert (user.home / "config.toml").read_bytes() == text.encode("utf-8", "surrogateescape")


@pytest.mark.slow
def test_bad_value_can_be_corrected_with_set(user):
    (user.home / "config.toml").write_text("budget = 'lots'\nrounds = -1\n")
    assert user.run("config").returncode == 3
    assert user.run("config", "set", "budget", "1").returncode == 0
    assert user.run("config", "unset", "rounds").returncode == 0
    assert user.run("config").returncode == 0


def test_setting_without_effect_is_reported(user):
    user.extra["SWE_AGENT_ROUNDS"] = "5"
    completed = user.run("config", "set", "rounds", "2")
    assert completed.returncode == 0
    assert "no effect while SWE_AGENT_ROUNDS" in completed.stderr


@pytest.mark.slow
def test_key_from_pipe_is_stored_in_keyring(user):
    completed = feed(user, "key-from-pipe\n", "config", "key", "openai")
    assert (completed.returncode, completed.stdout) == (0, "")
    assert "in the system's keyring" in completed.stderr
    assert json.loads((user.home / "ring.json").read_text()) == {"swe-agent openai": "key-from-pipe"}
    assert "key-from-pipe" not in config(user)
    assert user.run("config", "key", "openai", "--delete").returncode == 0
    assert json.loads((user.home / "ring.json").read_text()) == {}
    assert user.run("config", "key", "openai", "--delete").returncode == 2


@pytest.mark.parametrize("text", ["", "\n", "two words\n", "schlüssel\n", "a\x1b[31mb\n"])
def test_invalid_key_is_refused(user, text):
    completed = feed(user, text, "config", "key", "openai")
    assert completed.returncode == 2
    assert not (user.home / "ring.json").exists()


@pytest.mark.slow
def test_key_is_stored_in_plain_text_only_on_request(user):
    user.extra["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    refused = feed(user, "k-1234\n", "config", "key", "openai/gpt-4.1")
    assert refused.returncode == 3
    assert "OPENAI_API_KEY" in refused.stderr
    assert "--in-clear" in refused.stderr
    assert not (user.home / "keys.toml").exists()
    completed = feed(user, "k-1234\n", "config", "key", "openai/gpt-4.1", "--in-clear")
    assert completed.returncode == 0
    assert "in plain text in" in completed.stderr
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
        while output := os.read(parent, 1000):
            screen += output
    except OSError:
        pass  # the terminal is closed by the end of the process
    assert process.wait(30) == 0
    os.close(parent)
    assert b"typed-secret" not in screen
    assert "typed-secret" in (user.home / "ring.json").read_text()


@pytest.mark.slow
def test_theme_must_exist(machine):
    completed = machine.run("config", "set", "session.theme", "drak")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert "There is no theme 'drak'" in completed.stderr
    for name in ("auto", "light", "nord"):
        assert machine.run("config", "set", "session.theme", name).returncode == 0
        assert tomllib.loads(config(machine))["session"]["theme"] == name
