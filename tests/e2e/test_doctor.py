"""`swe-agent doctor` about models: whether they are known, priced, have a key, and answer."""

import json
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent.cli import health_checks
from agent.config.settings import Settings
from tests.e2e.conftest import answer
from tests.endpoint import Answer, Endpoint, Tokens


@pytest.fixture
def user(machine):
    """A user without a keyring, and without keys unless a test sets one."""
    machine.extra["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    return machine


def checks(machine, *flags):
    result = machine.json("doctor", *flags)
    return result["returncode"], {check["name"]: check for check in result["checks"]}


def test_doctor_without_model_reports_default_strategy(user):
    code, results = checks(user)
    assert code == 0
    assert "strategy `templates`" in results["model"]["found"]
    assert checks(user, "--ask")[0] == 3


def test_known_model_with_key_passes(user):
    user.extra["OPENAI_API_KEY"] = "canary-4f1d9c27ab"
    code, results = checks(user, "--model", "openai/gpt-4.1")
    assert code == 0
    assert "$2 in, $8 out" in results["price"]["found"]
    assert "tokens of context" in results["model"]["found"]
    assert results["key"]["found"] == "set in $OPENAI_API_KEY"
    assert "canary" not in json.dumps(results)


def test_price_from_config_is_reported(user):
    (user.home / "config.toml").write_text(
        'model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\nprice_in = 0.5\nprice_out = 1.5\n'
    )
    code, results = checks(user)
    assert code == 0
    assert results["price"]["found"] == "$0.5 in, $1.5 out per million tokens, by your config"
    assert "none is sent to its own api_base" in results["key"]["found"]


@pytest.mark.parametrize(
    ("config", "check", "message"),
    [
        ('model = "openai/gpt-4.1"\n', "model", "No API key for openai/gpt-4.1"),
        ('model = "nobody/nothing"\n', "model", "Unknown provider 'nobody'"),
        ('model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\n', "price", "no price is known for mine"),
        ('model = "x/y"\n[models."x/y"]\nkey_env = "NOWHERE"\napi_base = "http://127.0.0.1:9"\n', "model", "NOWHERE"),
        ('model = "scripted:/nowhere"\n', "model", "cannot be read"),
    ],
)
def test_problem_is_reported_with_fix(user, config, check, message):
    (user.home / "config.toml").write_text(config)
    code, results = checks(user)
    assert code == 3
    assert not results[check]["ok"]
    assert message in results[check]["found"]
    assert results[check]["fix"]


def test_suggested_fix_for_missing_price_works(user):
    (user.home / "config.toml").write_text('model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\n')
    for field in ("price_in", "price_out"):
        assert user.run("config", "set", f"models.mine.{field}", "1").returncode == 0
    assert checks(user)[0] == 0


@pytest.mark.slow
def test_ask_sends_one_small_request(user):
    with Endpoint([Answer(text="yes \x1b[31m", usage=Tokens(input=12, output=1))]) as endpoint:
        (user.home / "config.toml").write_text(
            f'model = "openai/mine"\n[models."openai/mine"]\napi_base = "{endpoint.openai}"\n'
            "price_in = 1.0\nprice_out = 2.0\n"
        )
        code, results = checks(user, "--ask")
        assert code == 0, results
        assert results["answer"]["found"].startswith("'yes' after ")
        assert "12 tokens in, 1 out, $0.000014 paid" in results["answer"]["found"]
        assert len(endpoint.requests) == 1
        assert endpoint.requests[0].body["max_tokens"] == 16


@pytest.mark.slow
def test_failing_model_is_reported(user):
    user.extra["OPENAI_API_KEY"] = "canary-4f1d9c27ab"
    with Endpoint([Answer(status=401)]) as endpoint:
        (user.home / "config.toml").write_text(
            f'model = "openai/mine"\n[models."openai/mine"]\napi_base = "{endpoint.openai}"\n'
            "price_in = 1.0\nprice_out = 2.0\n"
        )
        code, results = checks(user, "--ask")
        assert code == 3
        assert not results["answer"]["ok"]
        assert results["answer"]["fix"]
        assert "canary" not in json.dumps(results)


@pytest.mark.slow
def test_hanging_model_has_shorter_timeout_than_in_run(user, monkeypatch):
    monkeypatch.setattr(health_checks, "PATIENCE", 0.5)
    monkeypatch.setenv("TEST_KEY", "canary-4f1d9c27ab")
    with Endpoint([Answer(hang=True)]) as endpoint:
        table = {"api_base": endpoint.openai, "key_env": "TEST_KEY", "price_in": 1, "price_out": 2}
        settings = Settings(model="openai/mine", models={"openai/mine": table}, state=user.home, workspace="local")
        with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
            warnings.simplefilter("ignore")
            results = pool.submit(lambda: list(health_checks.run_health_checks(settings, ask=True))).result()
    assert (settings.first_timeout, settings.model_timeout) == (1800, 300)
    (answered,) = [finding for finding in results if finding.name == "answer"]
    assert not answered.ok
    assert "sent no text" in answered.found
    assert "a run waits longer" in answered.fix


def test_scripted_model_needs_no_key(user):
    code, results = checks(user, "--model", user.script(answer("yes")), "--ask")
    assert code == 0
    assert "key" not in results
    assert results["answer"]["ok"]


def test_clean_reports_removed_files(user, tmp_path):
    """A leftover folder of a dead run is removed; without Docker the rest is still cleaned, and a message says so."""
    leftover = tmp_path / "swe-agent-abcd_123"
    leftover.mkdir(mode=0o700)
    (leftover / "file").write_bytes(b"x" * 3_000_000)
    os.utime(leftover, (1.6e9, 1.6e9))
    user.extra |= {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "DOCKER_HOST": "unix:///no/such.sock"}
    completed = user.run("doctor", "--clean")
    assert completed.returncode == 0, completed.stderr
    assert "removed temporary folders: 1 (3.0 MB)" in completed.stdout
    assert "Docker was not cleaned: Docker is not running" in completed.stdout
    assert not leftover.exists()
    result = user.json("doctor", "--clean")
    assert result["bytes"] == 0
    assert {each["what"] for each in result["removed"]} == {"temporary folders", "locks"}
    assert "There was nothing to remove." in user.run("doctor", "--clean").stdout


@pytest.mark.docker
def test_seccomp_profile_is_reported(user):
    user.extra["SWE_AGENT_WORKSPACE"] = "docker"
    seccomp = checks(user)[1]["seccomp"]
    assert (seccomp["ok"], seccomp["found"]) == (True, "the profile of swe-agent: no AF_VSOCK, AF_ALG, io_uring")


@pytest.mark.parametrize(
    ("options", "is_podman", "message"),
    [
        ([], False, "does not filter system calls"),
        (["name=seccomp,profile=default"], True, "Podman accepts no profile"),
    ],
)
def test_daemon_without_seccomp_profile_is_reported(options, is_podman, message):
    results = health_checks._seccomp({"SecurityOptions": options}, is_podman)
    assert message in results.found
    assert results.ok == bool(options)
