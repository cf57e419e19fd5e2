"""`swe-agent doctor` about models: known, paid for, with a key, and answering."""

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
    """No keyring, and no key unless a test gives one."""
    machine.extra["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    return machine


def checks(machine, *flags):
    told = machine.json("doctor", *flags)
    return told["returncode"], {check["name"]: check for check in told["checks"]}


def test_without_model_it_says_what_fix_will_use(user):
    code, found = checks(user)
    assert code == 0
    assert "strategy `templates`" in found["model"]["found"]
    assert checks(user, "--ask")[0] == 3


def test_known_model_with_its_key(user):
    user.extra["OPENAI_API_KEY"] = "canary-4f1d9c27ab"
    code, found = checks(user, "--model", "openai/gpt-4.1")
    assert code == 0
    assert "$2 in, $8 out" in found["price"]["found"]
    assert "tokens of context" in found["model"]["found"]
    assert found["key"]["found"] == "set in $OPENAI_API_KEY"
    assert "canary" not in json.dumps(found)


def test_price_of_users_own(user):
    (user.home / "config.toml").write_text(
        'model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\nprice_in = 0.5\nprice_out = 1.5\n'
    )
    code, found = checks(user)
    assert code == 0
    assert found["price"]["found"] == "$0.5 in, $1.5 out per million tokens, by your config"
    assert "none is sent to its own api_base" in found["key"]["found"]


@pytest.mark.parametrize(
    ("config", "check", "said"),
    [
        ('model = "openai/gpt-4.1"\n', "model", "No API key for openai/gpt-4.1"),
        ('model = "nobody/nothing"\n', "model", "Unknown provider 'nobody'"),
        ('model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\n', "price", "no price is known for mine"),
        ('model = "x/y"\n[models."x/y"]\nkey_env = "NOWHERE"\napi_base = "http://127.0.0.1:9"\n', "model", "NOWHERE"),
        ('model = "scripted:/nowhere"\n', "model", "cannot be read"),
    ],
)
def test_what_is_wrong_and_how_to_mend_it(user, config, check, said):
    (user.home / "config.toml").write_text(config)
    code, found = checks(user)
    assert code == 3
    assert not found[check]["ok"]
    assert said in found[check]["found"]
    assert found[check]["fix"]


def test_fix_it_gives_for_missing_price_works(user):
    (user.home / "config.toml").write_text('model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\n')
    for field in ("price_in", "price_out"):
        assert user.run("config", "set", f"models.mine.{field}", "1").returncode == 0
    assert checks(user)[0] == 0


@pytest.mark.slow
def test_asking_pays_for_one_small_request(user):
    with Endpoint([Answer(text="yes \x1b[31m", usage=Tokens(input=12, output=1))]) as endpoint:
        (user.home / "config.toml").write_text(
            f'model = "openai/mine"\n[models."openai/mine"]\napi_base = "{endpoint.openai}"\n'
            "price_in = 1.0\nprice_out = 2.0\n"
        )
        code, found = checks(user, "--ask")
        assert code == 0, found
        assert found["answer"]["found"].startswith("'yes' after ")
        assert "12 tokens in, 1 out, $0.000014 paid" in found["answer"]["found"]
        assert len(endpoint.requests) == 1
        assert endpoint.requests[0].body["max_tokens"] == 16


@pytest.mark.slow
def test_model_that_does_not_answer(user):
    user.extra["OPENAI_API_KEY"] = "canary-4f1d9c27ab"
    with Endpoint([Answer(status=401)]) as endpoint:
        (user.home / "config.toml").write_text(
            f'model = "openai/mine"\n[models."openai/mine"]\napi_base = "{endpoint.openai}"\n'
            "price_in = 1.0\nprice_out = 2.0\n"
        )
        code, found = checks(user, "--ask")
        assert code == 3
        assert not found["answer"]["ok"]
        assert found["answer"]["fix"]
        assert "canary" not in json.dumps(found)


@pytest.mark.slow
def test_model_that_hangs_is_given_up_long_before_run_would(user, monkeypatch):
    monkeypatch.setattr(health_checks, "PATIENCE", 0.5)
    monkeypatch.setenv("TEST_KEY", "canary-4f1d9c27ab")
    with Endpoint([Answer(hang=True)]) as endpoint:
        table = {"api_base": endpoint.openai, "key_env": "TEST_KEY", "price_in": 1, "price_out": 2}
        settings = Settings(model="openai/mine", models={"openai/mine": table}, state=user.home, workspace="local")
        with warnings.catch_warnings(), ThreadPoolExecutor(1) as pool:
            warnings.simplefilter("ignore")
            found = pool.submit(health_checks.run_health_checks, settings, True).result()
    assert (settings.first_timeout, settings.model_timeout) == (1800, 300)
    (answered,) = [finding for finding in found if finding.name == "answer"]
    assert not answered.ok
    assert "sent no text" in answered.found
    assert "a run waits longer" in answered.fix


def test_scripted_model_needs_no_key(user):
    code, found = checks(user, "--model", user.script(answer("yes")), "--ask")
    assert code == 0
    assert "key" not in found
    assert found["answer"]["ok"]


def test_clean_says_what_it_removed(user, tmp_path):
    """A folder that a dead run left a day ago goes; without Docker the rest is done all the same, and said."""
    left = tmp_path / "swe-agent-abcd_123"
    left.mkdir(mode=0o700)
    (left / "file").write_bytes(b"x" * 3_000_000)
    os.utime(left, (1.6e9, 1.6e9))
    user.extra |= {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "DOCKER_HOST": "unix:///no/such.sock"}
    done = user.run("doctor", "--clean")
    assert done.returncode == 0, done.stderr
    assert "removed temporary folders: 1 (3.0 MB)" in done.stdout
    assert "Docker was not cleaned: Docker is not running" in done.stdout
    assert not left.exists()
    told = user.json("doctor", "--clean")
    assert told["bytes"] == 0
    assert {each["what"] for each in told["removed"]} == {"temporary folders", "locks"}
    assert "There was nothing to remove." in user.run("doctor", "--clean").stdout


@pytest.mark.docker
def test_which_system_calls_containers_are_refused_is_said(user):
    user.extra["SWE_AGENT_WORKSPACE"] = "docker"
    seccomp = checks(user)[1]["seccomp"]
    assert (seccomp["ok"], seccomp["found"]) == (True, "the profile of swe-agent: no AF_VSOCK, AF_ALG, io_uring")


@pytest.mark.parametrize(
    ("options", "is_podman", "said"),
    [
        ([], False, "does not filter system calls"),
        (["name=seccomp,profile=default"], True, "Podman accepts no profile"),
    ],
)
def test_daemon_that_takes_no_profile(options, is_podman, said):
    found = health_checks._seccomp({"SecurityOptions": options}, is_podman)
    assert said in found.found
    assert found.ok == bool(options)
