"""`swe-agent doctor` about models: whether they are known, priced, have a key, and answer."""

import json
import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from aci.docker.docker_daemon import OTHER_WORKSPACE
from agent.config.settings import Settings
from extensions.housekeeping import health_checks, workspace_checks
from tests.conftest import IMAGE
from tests.e2e.conftest import answer
from tests.endpoint import Answer, Endpoint, Tokens

pytestmark = pytest.mark.slow


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
        ('model = "openai/mine"\n[models."openai/mine"]\nkey_env = "HOME"\n', "price", "no price is known for"),
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


def test_own_server_without_price_is_limited_by_tokens(user):
    (user.home / "config.toml").write_text('model = "mine"\n[models.mine]\napi_base = "http://127.0.0.1:9"\n')
    code, results = checks(user)
    assert code == 0, results
    assert "no price is known for mine, so a run may use 1,000,000 tokens" in results["price"]["found"]


def test_suggested_fix_for_missing_price_works(user):
    (user.home / "config.toml").write_text('model = "openai/mine"\n[models."openai/mine"]\nkey_env = "HOME"\n')
    for field in ("price_in", "price_out"):
        assert user.run("config", "set", f"models.openai/mine.{field}", "1").returncode == 0
    assert checks(user)[0] == 0


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


def test_known_findings_are_shown_before_model_answers(user, monkeypatch):
    asked = []

    def answer_late(model):
        asked.append(model)
        return health_checks.Finding("answer", True, "late")

    monkeypatch.setattr(health_checks, "_answer", answer_late)
    settings = Settings(model=user.script(answer("yes")), state=user.home, workspace="local")
    names = [(finding.name, bool(asked)) for finding in health_checks.run_health_checks(settings, ask=True)]
    assert names[-1] == ("answer", True)
    assert {asked for _, asked in names[:-1]} == {False}


def test_folder_without_repository_is_no_failure(user):
    code, results = checks(user)
    assert code == 0
    assert "run `swe-agent doctor` in one" in results["repository"]["found"]
    assert "tests" not in results


def checks_in(repository, machine, *flags):
    """Return the checks of `doctor` in a repository."""
    result = machine.json("doctor", *flags, cwd=repository)
    return result["returncode"], {check["name"]: check for check in result["checks"]}


def test_local_workspace_collects_tests_on_request_only(user, calculator):
    (calculator / "conftest.py").write_text("open('../imported', 'w').close()\n")
    test = ["config", "set", "test", "python -m pytest"]
    assert user.run(*test).returncode == 0
    code, results = checks_in(calculator, user)
    assert code == 0
    assert results["repository"]["found"] == f"{calculator}, the working tree"
    assert "`swe-agent doctor --collect` collects them" in results["tests"]["found"]
    code, results = checks_in(calculator, user, "--collect")
    assert code == 0
    assert results["tests"]["found"].startswith("1 collected (`python -m pytest`, from ")


def test_file_that_cannot_be_collected_is_a_warning(user, calculator):
    (calculator / "tests" / "test_more.py").write_text("import nothing_such\n")
    user.run("config", "set", "test", "python -m pytest")
    completed = user.run("doctor", "--collect", cwd=calculator)
    assert completed.returncode == 0
    assert "warn tests: 1 collected, 1 file cannot be: ModuleNotFoundError: No module named 'nothing_such'" in (
        completed.stdout
    )
    assert "shows why; name what is missing with `setup`" in completed.stdout


@pytest.mark.docker
def test_docker_check_uses_plan_of_fix(user, calculator):
    (calculator / "pyproject.toml").write_text('[project]\nname = "calc"\nrequires-python = "==3.11.*"\n')
    user.run("config", "set", 'images."python3.11"', "localhost:1/eleven:1")
    user.extra |= {"SWE_AGENT_WORKSPACE": "docker", "SWE_AGENT_IMAGE": ""}
    why = user.json("env", "why", "--repo", str(calculator))
    assert why["image"] == "localhost:1/eleven:1"
    results = checks_in(calculator, user)[1]
    assert results["image"]["found"] == f"{why['image']} is not present; `fix` pulls it. {why['reasons'][0]}"
    assert results["environment"]["found"].startswith("not set up yet; `fix` does it, once, with ")


@pytest.mark.docker
def test_tests_are_collected_in_present_image(user, calculator):
    user.extra |= {"SWE_AGENT_WORKSPACE": "docker", "SWE_AGENT_IMAGE": IMAGE}
    code, results = checks_in(calculator, user)
    assert code == 0, results
    assert results["image"]["found"].startswith(f"{IMAGE} is present. ")
    assert results["tests"]["found"].startswith("1 collected")
    assert "registry" not in results


@pytest.mark.docker
def test_missing_image_and_silent_registry_are_reported(user, calculator, issue_file):
    user.extra |= {"SWE_AGENT_WORKSPACE": "docker", "SWE_AGENT_IMAGE": "localhost:1/python:3.14"}
    code, results = checks_in(calculator, user)
    assert code == 5
    assert "localhost:1/python:3.14 is not present; `fix` pulls it." in results["image"]["found"]
    assert not results["registry"]["ok"]
    assert results["registry"]["found"].startswith("localhost:1/python:3.14 cannot be pulled: ")
    assert f"--workspace {OTHER_WORKSPACE}" in results["registry"]["fix"]
    assert "the image is pulled or set up first" in results["tests"]["found"]
    completed = user.run("fix", "--repo", str(calculator), "--issue-file", issue_file)
    assert completed.returncode == 5
    assert "cannot be pulled" in completed.stdout + completed.stderr
    assert "Without a registry: --image " in completed.stdout + completed.stderr


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
    results = workspace_checks._seccomp({"SecurityOptions": options}, is_podman)
    assert message in results.found
    assert results.ok == bool(options)
