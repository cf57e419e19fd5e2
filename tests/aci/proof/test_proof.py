"""Proofs on small real repositories: patches that are plausible, and patches that must not be."""

from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import pytest

from aci.proof import proof_run
from aci.proof.proof import COMPARING, REPRODUCING, prove
from aci.proof.suite_baselines import Baselines
from aci.repository.patch import split_patch
from aci.testing.browser_tests import ServerNotStarted
from tests.aci.conftest import BASE, CASE, ISSUE, RIGHT, UNITTEST, WRONG, has_note
from tests.conftest import git
from trajectories.git_store.object_reader import Entry
from trajectories.records import Issue

NEW_TEST = {"tests/test_issue.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}
FAILING = {"tests/test_total.py": CASE + "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"}
SOLVED = {"shop/price.py": RIGHT, **NEW_TEST}
REPRODUCED = "tests.test_issue.T.test_total"


def parts(verdict):
    return verdict.red, verdict.green, verdict.red_again, verdict.no_loss


@pytest.mark.slow
def test_correct_patch_is_plausible(prove_patch, kind):
    verdict = prove_patch(SOLVED, kind=kind)
    assert verdict.kind == "plausible", verdict.notes
    assert parts(verdict) == (True, True, True, True)
    assert (verdict.granularity, verdict.tests) == ("test", (REPRODUCED,))
    assert verdict.commands == (
        "git apply patch.diff",
        f"{UNITTEST} -k {REPRODUCED}",
        UNITTEST,
        "git apply -R --include=shop/price.py patch.diff",
        f"{UNITTEST} -k {REPRODUCED}",
    )
    assert has_note(verdict, "suite without the patch: 2 passed")


@pytest.mark.slow
def test_correct_patch_is_plausible_by_pytest(prove_patch):
    test = "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"
    verdict = prove_patch({"shop/price.py": RIGHT, "tests/test_issue.py": test}, command="")
    assert verdict.kind == "plausible", verdict.notes
    assert verdict.tests == ("tests/test_issue.py::test_total",)
    assert "python3 -m pytest tests/test_issue.py::test_total" in verdict.commands


@pytest.mark.slow
def test_patch_that_solves_nothing_is_unproven(prove_patch):
    verdict = prove_patch({**SOLVED, "shop/price.py": WRONG + "\n# done\n"})
    assert verdict.kind == "unproven"
    assert parts(verdict) == (True, False, None, True)
    assert verdict.rank == 1


@pytest.mark.slow
def test_browser_or_server_that_does_not_start_comes_first(prove_patch, monkeypatch):
    broken = '    def test_total(self): raise RuntimeError("Executable doesn\'t exist at /chromium")\n'
    verdict = prove_patch({**SOLVED, "tests/test_issue.py": CASE + broken})
    assert verdict.notes[0] == "The tests could not use a browser: Executable doesn't exist at /chromium"
    said = "The project's server was not started: it ended."
    run = proof_run.run_tests

    def run_without_server(workspace, command, nodes, *limits):
        if nodes:
            raise ServerNotStarted(said, "Give the command that starts it with --serve.")
        return run(workspace, command, nodes, *limits)

    monkeypatch.setattr(proof_run, "run_tests", run_without_server)
    verdict = prove_patch(SOLVED)
    assert verdict.notes[0].startswith(said)


def test_patch_without_source_changes_is_not_verified(prove_patch):
    assert prove_patch({}).kind == "none"
    verdict = prove_patch(NEW_TEST)
    assert verdict.kind == "unproven"
    assert has_note(verdict, "changes no source file")


@pytest.mark.slow
@pytest.mark.parametrize("replacement", [None, CASE + "    def test_total(self): pass\n"])
def test_deleting_or_editing_test_proves_nothing(prove_patch, replacement):
    verdict = prove_patch(
        {"tests/test_total.py": replacement, "shop/stock.py": "def left(n):\n    return n if n > 0 else 0\n"},
        {**BASE, **FAILING},
    )
    assert (verdict.kind, verdict.green, verdict.no_loss) == ("unproven", None, True)
    assert has_note(verdict, "left out: tests/test_total.py")


@pytest.mark.slow
def test_loss_cannot_be_hidden_by_editing_its_test(prove_patch):
    broken = RIGHT.replace("x / 5", "x / 6")
    loose = CASE + "    def test_tax(self): self.assertTrue(price.tax(10))\n"
    verdict = prove_patch({**NEW_TEST, "shop/price.py": broken, "tests/test_price.py": loose})
    assert verdict.kind == "unproven"
    assert parts(verdict) == (True, True, True, False)
    assert verdict.lost == ("tests.test_price.T.test_tax",)


@pytest.mark.slow
def test_test_that_passes_for_another_reason_proves_nothing(prove_patch):
    """The first run of the test leaves an ignored file; with it, the test also passes without the patch."""
    state = """
        import os, unittest
        class T(unittest.TestCase):
            def test_total(self):
                from shop import price
                again = os.path.exists("seen.tmp")
                if price.total([1]) == 1: open("seen.tmp", "w").close()
                self.assertTrue(again or price.total([1]) == 1)
    """
    verdict = prove_patch({"shop/price.py": RIGHT, "tests/test_issue.py": state}, {**BASE, ".gitignore": "*.tmp\n"})
    assert verdict.kind == "unproven"
    assert parts(verdict)[:3] == (True, True, False)
    assert has_note(verdict, "for another reason", REPRODUCED)


@pytest.mark.slow
@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("shared", [True, False])
def test_test_that_passes_every_other_time_proves_nothing(prove_patch, tmp_path, parity, shared):
    runs = str(tmp_path / "runs") if shared else "runs.tmp"
    odd = f"""
        import os, unittest
        class T(unittest.TestCase):
            def test_total(self):
                with open({runs!r}, "a") as file: file.write("x")
                self.assertEqual(os.path.getsize({runs!r}) % 2, {parity})
    """
    patch = {"shop/price.py": WRONG + "# done\n", "tests/test_issue.py": odd}
    verdict = prove_patch(patch, {**BASE, ".gitignore": "*.tmp\n"})
    assert verdict.kind == "unproven"
    assert not (verdict.red and verdict.green and verdict.red_again)


@pytest.mark.slow
def test_reproduction_that_fails_in_complete_suite_is_not_green(prove_patch):
    among = """
        import sys
        from shop import price
        def test_total():
            assert price.total([1, 2]) == 3 and not any(name.endswith("test_stock") for name in sys.modules)
    """
    verdict = prove_patch(
        {"shop/price.py": RIGHT}, {**BASE, "tests/test_z.py": among}, command="", reproduction=["tests/test_z.py"]
    )
    assert (verdict.kind, verdict.red, verdict.green) == ("unproven", True, False)
    assert has_note(verdict, "not every time")


@pytest.mark.slow
def test_test_that_never_failed_is_not_red(prove_patch):
    test = CASE + "    def test_total(self): self.assertEqual(price.total([0, 2]), 2)\n"
    verdict = prove_patch({"shop/price.py": RIGHT, "tests/test_issue.py": test})
    assert (verdict.kind, verdict.red) == ("unproven", False)
    assert has_note(verdict, "No test fails without the patch")


@pytest.mark.slow
def test_patch_that_breaks_another_test_is_unproven(prove_patch):
    verdict = prove_patch({**SOLVED, "shop/stock.py": "def left(n):\n    return n\n"})
    assert verdict.kind == "unproven"
    assert verdict.lost == ("tests.test_stock.T.test_left",)
    assert (verdict.green, verdict.no_loss, verdict.rank) == (True, False, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "cause",
    ["raise ImportError('no')\n", "import os; os._exit(0)\n", "import unittest\nraise unittest.SkipTest('later')\n"],
    ids=["cannot be collected", "ends the run", "is skipped"],
)
def test_tests_that_no_longer_run_are_lost(prove_patch, cause):
    verdict = prove_patch({**SOLVED, "shop/stock.py": cause})
    assert (verdict.kind, verdict.no_loss) == ("unproven", False)
    assert "tests.test_stock.T.test_left" in verdict.lost


@pytest.mark.slow
def test_flaky_tests_are_excluded_and_listed(prove_patch):
    flaky = """
        import os, unittest
        class T(unittest.TestCase):
            def test_odd(self):
                count = os.path.getsize("runs.tmp") if os.path.exists("runs.tmp") else 0
                with open("runs.tmp", "a") as file: file.write("x")
                from shop import price
                self.assertTrue(count % 2 == 0 and price.total([1]) == 0)
    """
    base = {**BASE, "tests/test_flaky.py": flaky, ".gitignore": "*.tmp\n"}
    verdict = prove_patch(SOLVED, base)
    assert verdict.kind == "plausible", verdict.notes
    assert (verdict.flaky, verdict.lost) == (("tests.test_flaky.T.test_odd",), ())


@pytest.mark.slow
def test_test_that_never_passes_again_on_base_is_flaky(prove_patch, tmp_path):
    once = f"""
        import os, unittest
        class T(unittest.TestCase):
            def test_once(self):
                with open({str(tmp_path / "runs")!r}, "a") as file: file.write("x")
                self.assertEqual(os.path.getsize({str(tmp_path / "runs")!r}), 1)
    """
    verdict = prove_patch(SOLVED, {**BASE, "tests/test_once.py": once})
    assert verdict.kind == "plausible", verdict.notes
    assert (verdict.flaky, verdict.lost) == (("tests.test_once.T.test_once",), ())


@pytest.mark.slow
def test_test_that_is_unstable_only_with_patch_is_lost(prove_patch):
    odd = """
        import os, unittest
        from shop import price
        class T(unittest.TestCase):
            def test_odd(self):
                with open("runs.tmp", "a") as file: file.write("x")
                self.assertTrue(price.total([1]) == 0 or os.path.getsize("runs.tmp") % 2 == 0)
    """
    verdict = prove_patch(SOLVED, {**BASE, "tests/test_odd.py": odd, ".gitignore": "*.tmp\n"})
    assert (verdict.kind, verdict.flaky, verdict.lost) == ("unproven", (), ("tests.test_odd.T.test_odd",))


@pytest.mark.slow
def test_test_that_fails_only_with_others_is_lost(prove_patch):
    repeated = CASE + "    def test_twice(self): self.assertEqual(price.tax(10), 2)\n"
    needs = """
        import unittest
        from shop import stock
        class T(unittest.TestCase):
            def test_a(self): stock.seen = 1
            def test_b(self): self.assertEqual((stock.seen, stock.left(-1)), (1, 0))
    """
    base = {**BASE, "tests/test_twice.py": repeated, "tests/test_needs.py": needs}
    caching = RIGHT.replace("    return x / 5", "    SEEN.append(x)\n    return x / 5 / len(SEEN)") + "SEEN = []\n"
    verdict = prove_patch({**NEW_TEST, "shop/price.py": caching}, base)
    assert verdict.lost == ("tests.test_twice.T.test_twice",)
    verdict = prove_patch({**SOLVED, "shop/stock.py": "def left(n):\n    return n\n"}, base)
    assert "tests.test_needs.T.test_b" in verdict.lost


@pytest.mark.slow
def test_test_that_the_issue_contradicts_is_not_lost(prove_patch):
    old = {"tests/test_old.py": CASE + "    def test_first_is_free(self): self.assertEqual(price.total([1, 2]), 2)\n"}
    body = "`total([1, 2])` should be 3. So test_first_is_free is outdated: nothing is free."
    id = "tests.test_old.T.test_first_is_free"
    verdict = prove_patch(SOLVED, {**BASE, **old}, issue=Issue("The total is too low", body))
    assert verdict.lost == (id,), "a sentence is no evidence"
    verdict = prove_patch(SOLVED, {**BASE, **old}, contradictions={id: "it asserts 2; by the issue, 3"})
    assert (verdict.kind, verdict.lost, verdict.no_loss) == ("plausible", (), True), verdict.notes
    assert verdict.contradicted == (f"{id}: it asserts 2; by the issue, 3",)
    assert verdict.headline.endswith("; it contradicts an existing test that asserts the reported behaviour.")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("issue", "more", "relation"),
    [
        (Issue("tests/test_total.py fails"), {}, "named in the issue"),
        (Issue("Too low"), {"places": ["shop/price.py:total"]}, "a likely place of the issue"),
        (Issue("Too low"), {"places": ["shop/price.py"]}, "importing shop/price.py, a likely place of the issue"),
    ],
)
def test_failing_base_test_counts_if_related_to_issue(prove_patch, issue, more, relation):
    verdict = prove_patch({"shop/price.py": RIGHT}, {**BASE, **FAILING}, issue=issue, **more)
    assert verdict.kind == "plausible", verdict.notes
    assert verdict.tests == ("tests.test_total.T.test_total",)
    assert has_note(verdict, "Failing before and fixed", relation, "tests.test_total.T.test_total")


@pytest.mark.slow
@pytest.mark.parametrize("places", [(), ["shop/price.py:tax"], ["shop/stock.py:left"]])
def test_changed_file_alone_does_not_relate_test_to_issue(prove_patch, places):
    body = "tax(-1) is negative, it must be 0."
    verdict = prove_patch({"shop/price.py": RIGHT}, {**BASE, **FAILING}, issue=Issue("Tax", body), places=places)
    assert (verdict.kind, verdict.red) == ("unproven", None)
    assert has_note(verdict, "tests.test_total.T.test_total", "not counted")


@pytest.mark.slow
def test_failing_test_unrelated_to_issue_is_not_counted(prove_patch):
    far = """
        import unittest
        class T(unittest.TestCase):
            def test_it(self):
                with open("shop/price.py") as file: self.assertIn("# fixed", file.read())
    """
    verdict = prove_patch({"shop/price.py": WRONG + "# fixed\n"}, {**BASE, "tests/test_far.py": far})
    assert verdict.kind == "unproven"
    assert verdict.red is None
    assert has_note(verdict, "tests.test_far.T.test_it", "not counted")


@pytest.mark.slow
def test_given_reproduction_tests_must_all_pass(prove_patch):
    base = {**BASE, **FAILING}
    assert prove_patch({"shop/price.py": RIGHT}, base, reproduction=["tests/test_total.py"]).kind == "plausible"
    two = {"tests/test_total.py": FAILING["tests/test_total.py"] + "    def test_no(self): self.fail()\n"}
    verdict = prove_patch({"shop/price.py": RIGHT}, {**BASE, **two}, reproduction=["tests/test_total.py"])
    assert verdict.green is False
    assert has_note(verdict, "Still failing", "test_no")
    for given in (["tests/test_gone.py"], ["tests/test_total.py::T::test_total", "tests/test_gone.py"]):
        verdict = prove_patch({"shop/price.py": RIGHT}, base, reproduction=given)
        assert verdict.kind == "unproven"
        assert has_note(verdict, "Not found", "patch: tests/test_gone.py.")


@pytest.mark.slow
def test_missing_name_counts_only_if_patch_adds_it(prove_patch):
    test = CASE + "    def test_it(self): self.assertEqual(price.discount(10), 9)\n"
    added = {"shop/price.py": RIGHT + "\ndef discount(x):\n    return x * 9 // 10\n", "tests/test_issue.py": test}
    issue = Issue("There is no discount", "`price.discount(10)` should be 9.")
    assert prove_patch(added, issue=issue).kind == "plausible"
    uncollected = {"tests/test_old.py": "from shop.price import discount\n" + test.replace("price.disc", "disc")}
    patch = {"shop/price.py": added["shop/price.py"]}
    verdict = prove_patch(patch, {**BASE, **uncollected}, places=["shop/price.py"], issue=issue)
    assert verdict.tests == ("tests.test_old.T.test_it",), verdict.notes
    assert verdict.kind == "plausible"
    forged = "import builtins, unittest\nclass T(unittest.TestCase):\n    def test_it(self): self.assertTrue(magic)\n"
    hidden = {
        "shop/__init__.py": "import builtins\nvars(builtins)['ma' + 'gic'] = 1\n",
        "tests/test_issue.py": "import shop\n" + forged,
    }
    verdict = prove_patch(hidden)
    assert verdict.red is False
    assert has_note(verdict, "'magic' is missing")


@pytest.mark.slow
def test_conftest_cannot_forge_results(prove_patch):
    forge = """
        import pytest
        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            outcome = yield
            outcome.get_result().outcome = "passed"
    """
    test = "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"
    patch = {"conftest.py": forge, "tests/test_issue.py": test, "shop/price.py": WRONG + "# done\n"}
    verdict = prove_patch(patch, command="")
    assert verdict.kind == "unproven"
    assert verdict.green is False
    assert has_note(verdict, "left out: conftest.py")


@pytest.mark.slow
def test_exit_with_zero_forges_no_result(prove_patch):
    verdict = prove_patch({**NEW_TEST, "shop/price.py": "import os\nos._exit(0)\n" + WRONG})
    assert verdict.kind == "unproven"
    assert verdict.green is not True
    assert verdict.no_loss is False
    assert has_note(verdict, "ends the interpreter at once")


@pytest.mark.slow
def test_patch_with_startup_file_is_not_trusted(prove_patch):
    verdict = prove_patch({**SOLVED, "sitecustomize.py": "x = 1\n"})
    assert parts(verdict) == (True, True, True, True)
    assert verdict.kind == "unproven"
    assert has_note(verdict, "sitecustomize.py", "no result can be trusted")


@pytest.mark.slow
def test_patch_that_shadows_runner_module_is_not_trusted(prove_patch):
    verdict = prove_patch({**SOLVED, "pluggy.py": "raise SystemExit(0)\n"})
    assert verdict.kind == "unproven"
    assert has_note(verdict, "pluggy.py", "no result can be trusted")


@pytest.mark.slow
@pytest.mark.parametrize("place", ["patch", "base"])
def test_crash_at_exit_counts_only_if_base_has_none(prove_patch, place):
    crash = "import atexit, os, signal\natexit.register(lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
    stock = {"shop/stock.py": crash + BASE["shop/stock.py"]}
    base, patch = (BASE, {**SOLVED, **stock}) if place == "patch" else ({**BASE, **stock}, SOLVED)
    verdict = prove_patch(patch, base)
    assert verdict.kind == ("unproven" if place == "patch" else "plausible"), verdict.notes
    assert has_note(verdict, "exits with 137") == (place == "patch")


@pytest.mark.slow
def test_source_named_like_test_is_reported(prove_patch):
    base = {"web/__init__.py": "", "web/test_client.py": "def f():\n    return 1\n", **BASE}
    verdict = prove_patch({"web/test_client.py": "def f():\n    return 2\n"}, base)
    assert verdict.kind == "unproven"
    assert has_note(verdict, "web/test_client.py looks like a test by its name")
    assert not has_note(prove_patch(SOLVED, base), "by its name")


@pytest.mark.slow
def test_patch_that_recognises_the_runner_is_unproven(prove_patch):
    special = "import os\ndef total(items):\n    return 3 if 'PYTEST_CURRENT_TEST' in os.environ else 0\n"
    special += WRONG[WRONG.index("def tax") :]
    test = "from shop.price import total\ndef test_total(): assert total([1, 2]) == 3\n"
    patch = {"shop/price.py": special, "tests/test_issue.py": test}
    verdict = prove_patch(patch, command="")
    assert (verdict.kind, *parts(verdict)) == ("unproven", True, True, True, True)
    assert has_note(verdict, "shop/price.py checks whether pytest runs it", "no result can be trusted")


@pytest.mark.slow
def test_project_that_recognises_the_runner_itself_is_plausible(prove_patch):
    own = "import os\nTESTED = 'PYTEST_CURRENT_TEST' in os.environ\n"
    base = {**BASE, "shop/price.py": own + WRONG}
    assert (
        prove_patch({"shop/price.py": own.replace("TESTED", "IS_TESTED") + RIGHT, **NEW_TEST}, base).kind == "plausible"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "startup",
    [
        {"sitecustomize/__init__.py": "x = 1\n"},
        {"shop.egg-info/entry_points.txt": "[pytest11]\nshop = shop.price\n"},
        {"shop/stock.py": BASE["shop/stock.py"] + "def pytest_runtest_call(item): item.obj = print\n"},
    ],
    ids=lambda files: next(iter(files)),
)
def test_patch_with_code_that_is_loaded_by_itself_is_unproven(prove_patch, startup):
    base = {**BASE, "conftest.py": "from shop.stock import *\n"}
    assert prove_patch(SOLVED, base, command="").kind == "plausible"
    assert prove_patch({**SOLVED, **startup}, base, command="").kind == "unproven"


@pytest.mark.slow
def test_new_test_file_cannot_replace_broken_module(prove_patch):
    test = "from m import f\ndef test_f(): assert f() == 1\n"
    base = {"m.py": "def f(): return 1\n", "conftest.py": "", "tests/test_m.py": test}
    new = "def test_n(): assert 'broken' in open('m.py').read()\n"
    patch = {"m.py": "def f(): return 'broken'\n", "tests/m.py": base["m.py"], "tests/test_n.py": new}
    assert prove_patch(patch, base, command="").lost == ("tests/test_m.py::test_f",)


@pytest.mark.slow
def test_patch_is_not_verified_on_base_without_tests(prove_patch):
    base = {"shop/__init__.py": "", "shop/price.py": WRONG}
    test = "import unittest\nfrom shop import price\n" + FAILING["tests/test_total.py"].partition("stock\n")[2]
    verdict = prove_patch(
        {"shop/price.py": RIGHT, "tests/__init__.py": "", "tests/test_issue.py": test}, base, command=""
    )
    assert (verdict.kind, parts(verdict)) == ("unproven", (True, True, True, None))
    assert has_note(verdict, "No test ran without the patch")


@pytest.mark.slow
def test_missing_command_proves_nothing(prove_patch):
    verdict = prove_patch(SOLVED, command="no-such-runner")
    assert (verdict.kind, verdict.no_loss) == ("unproven", None)
    assert has_note(verdict, "no-such-runner")


@pytest.mark.slow
def test_timed_out_suite_reports_number_of_tests(prove_patch):
    slow = """
        import signal, time, unittest
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        class T(unittest.TestCase):
            def test_z(self): time.sleep(30)
    """
    verdict = prove_patch(SOLVED, {**BASE, "tests/test_z.py": slow}, timeout=5)
    assert verdict.kind == "plausible", verdict.notes
    assert has_note(verdict, "Only the 2 tests")


RUFF = {**BASE, "pyproject.toml": "[tool.ruff]\nline-length = 100\n"}


@pytest.mark.slow
def test_repository_checks_are_reported_without_changing_verdict(prove_patch):
    verdict = prove_patch({**SOLVED, "shop/price.py": "import os\n\n" + RIGHT}, base=RUFF)
    assert verdict.kind == "plausible", verdict
    assert len(verdict.checks) == 1
    assert "shop/price.py:1:8: F401" in verdict.checks[0]
    assert has_note(verdict, "A check of the repository reports something new", "F401")


@pytest.mark.slow
def test_unproven_patch_is_not_checked(prove_patch):
    assert prove_patch({**SOLVED, "shop/price.py": "import os\n\n" + WRONG}, base=RUFF).checks == ()


READS = (
    "from pathlib import Path\n\ndef rates():\n    return list(Path(__file__).with_name('rates.bin').read_bytes())\n"
)
BINARY = {**BASE, "shop/rates.py": READS, "shop/rates.bin": b"\0\xff\x01\n\r\n" * 300}
READS_TEST = "import unittest\nfrom shop import rates\nclass T(unittest.TestCase):\n"


@pytest.mark.slow
def test_patch_of_binary_file_is_plausible_and_applies(make_repo, open_ws, tmp_path):
    workspace = open_ws("local", make_repo(BINARY))
    trees, start = workspace.options.trees, workspace.options.base.tree
    test = f"{READS_TEST}    def test_rates(self): self.assertEqual(rates.rates()[:3], [0, 254, 1])\n"
    fixed = BINARY["shop/rates.bin"].replace(b"\xff", b"\xfe")
    tree = trees.write({"shop/rates.bin": fixed, "tests/test_rates.py": test.encode()}, start)
    verdict = prove(workspace.fork, trees, start, tree, issue=ISSUE, command=UNITTEST, timeout=60)
    assert verdict.kind == "plausible", verdict
    patch = split_patch(trees, start, tree)
    (tmp_path / "patch.diff").write_bytes(patch.diff.encode("utf-8", "surrogateescape"))
    workspace.write("p.diff", (tmp_path / "patch.diff").read_bytes())
    assert workspace.run("git apply p.diff && rm p.diff").code == 0
    assert workspace.read("shop/rates.bin") == fixed
    assert workspace.snapshot().tree == tree


@pytest.mark.slow
def test_lfs_pointers_and_submodules_are_unchanged(make_repo, open_ws):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12345\n"
    files = {**BASE, ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "big.bin": pointer}
    repo = make_repo({name: dedent(text) for name, text in files.items()})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'b' * 40},vendored")
    git(repo, "commit", "-q", "-m", "A submodule")
    workspace = open_ws("local", repo)
    trees, start = workspace.options.trees, workspace.options.base.tree
    tree = trees.write({name: dedent(text).encode() for name, text in SOLVED.items()}, start)
    verdict = prove(workspace.fork, trees, start, tree, issue=ISSUE, command=UNITTEST, timeout=60)
    assert verdict.kind == "plausible", verdict
    assert workspace.read("big.bin").decode() == pointer
    assert trees.entry(tree, "vendored") == trees.entry(start, "vendored") == ("160000", "b" * 40)
    assert {change.path for change in trees.changed(start, tree)} == set(SOLVED)


@pytest.mark.slow
def test_patch_with_other_commit_of_submodule_is_unproven(make_repo, open_ws):
    repo = make_repo({name: dedent(text) for name, text in BASE.items()})
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'b' * 40},vendored")
    git(repo, "commit", "-q", "-m", "A submodule")
    workspace = open_ws("local", repo)
    trees, start = workspace.options.trees, workspace.options.base.tree
    files = trees.files(start) | {"vendored": Entry("160000", "c" * 40, 0)}
    listing = "".join(f"{entry.mode} {entry.id} 0\t{path}\0" for path, entry in files.items())
    tree = trees.write(
        {name: dedent(text).encode() for name, text in SOLVED.items()}, trees.adopt(listing.encode(), [])
    )
    verdict = prove(workspace.fork, trees, start, tree, issue=ISSUE, command=UNITTEST, timeout=60)
    assert verdict.kind == "unproven", verdict
    assert any("changes the commit of the submodule vendored, but no test ran" in note for note in verdict.notes)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_and_sequential_runs_give_same_verdict(prove_patch, monkeypatch, parallel):
    monkeypatch.setattr("aci.proof.proof.can_run_two_suites", lambda: parallel)
    known = Baselines()
    verdict = prove_patch(SOLVED, known=known)
    assert verdict.kind == "plausible", verdict
    assert len(known) == 1
    broken = prove_patch({**SOLVED, "shop/stock.py": "def left(n):\n    return n\n"})
    assert broken.lost == ("tests.test_stock.T.test_left",)


@pytest.mark.slow
def test_parallel_proofs_share_run_without_patch(make_repo, open_ws):
    workspace = open_ws("local", make_repo({name: dedent(text) for name, text in BASE.items()}))
    trees, start = workspace.options.trees, workspace.options.base.tree
    tree = trees.write({name: dedent(text).encode() for name, text in SOLVED.items()}, start)
    messages: list[str] = []
    options = {"issue": ISSUE, "command": UNITTEST, "timeout": 60, "known": Baselines(), "say": messages.append}
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(prove, workspace.fork, trees, start, tree, **options) for _ in range(2)]
    assert [each.result().kind for each in futures] == ["plausible", "plausible"]
    assert messages.count("Running the tests without the patch") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("patch", "activity"), [(SOLVED, REPRODUCING), ({"shop/price.py": RIGHT}, COMPARING)])
def test_activity_says_whether_tests_reproduce_issue(prove_patch, patch, activity):
    messages: list[str] = []
    prove_patch(patch, say=messages.append)
    assert [each for each in messages if each in (REPRODUCING, COMPARING)] == [activity]


ADDED = "    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"


@pytest.mark.slow
def test_test_added_to_existing_file_reproduces(prove_patch):
    extended = BASE["tests/test_price.py"] + ADDED
    for given in ((), ("tests/test_price.py",), ("tests/test_price.py::T::test_total",)):
        verdict = prove_patch({"shop/price.py": RIGHT, "tests/test_price.py": extended}, reproduction=given)
        assert verdict.kind == "plausible", verdict.notes
        assert verdict.tests == ("tests.test_price.T.test_total",)
        assert verdict.compared == "2 tests"
        assert not has_note(verdict, "left out")


@pytest.mark.slow
def test_edited_test_of_a_proposed_patch_reproduces_and_its_base_version_must_pass(prove_patch):
    edited = BASE["tests/test_price.py"].replace("price.tax(10), 2)", "price.total([1, 2]), 3)")
    assert edited != BASE["tests/test_price.py"]
    patch = {"shop/price.py": RIGHT, "tests/test_price.py": edited}
    assert prove_patch(patch).red is None
    verdict = prove_patch(patch, edited_tests=True)
    assert (verdict.kind, verdict.tests) == ("plausible", ("tests.test_price.T.test_tax",)), verdict.notes
    assert has_note(verdict, "Existing tests were changed in tests/test_price.py")
    broken = {"shop/price.py": RIGHT.replace("x / 5", "x / 6"), "tests/test_price.py": edited}
    verdict = prove_patch(broken, edited_tests=True)
    assert (verdict.kind, verdict.red, verdict.lost) == ("unproven", True, ("tests.test_price.T.test_tax",))


MIXIN = "from shop import price\n\n\nclass Mixin:\n    def test_some(self): assert price.total([]) == 0\n"
USES = "import unittest\nfrom tests.support import Mixin\n\n\nclass T(Mixin, unittest.TestCase): pass\n"
READS = """\
import unittest
from pathlib import Path
from shop import price


class T(unittest.TestCase):
    def test_some(self):
        for line in (Path(__file__).parent / "data/sums.txt").read_text().splitlines():
            *numbers, total = map(int, line.split())
            self.assertEqual(price.total(numbers), total)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "path", "before", "after"),
    [
        (USES, "tests/support.py", MIXIN, MIXIN.replace("[]) == 0", "[1, 2]) == 3")),
        (READS, "tests/data/sums.txt", "0\n", "0\n1 2 3\n"),
    ],
    ids=["mixin", "data"],
)
def test_changed_file_beside_the_tests_of_a_proposed_patch_reproduces(prove_patch, test, path, before, after):
    base = BASE | {"tests/test_some.py": test, path: before}
    patch = {"shop/price.py": RIGHT, path: after}
    assert prove_patch(patch, base=base).red is None
    verdict = prove_patch(patch, base=base, edited_tests=True)
    assert (verdict.kind, verdict.tests) == ("plausible", ("tests.test_some.T.test_some",)), verdict.notes
    assert has_note(verdict, f"Existing tests were changed in {path}")
    assert prove_patch({path: after}, base=base, edited_tests=True).kind == "unproven"


@pytest.mark.slow
def test_added_test_does_not_replace_existing_ones(prove_patch):
    """The patch breaks a function, and another one with the name of its test follows the original."""
    broken = RIGHT.replace("x / 5", "x / 6")
    extended = BASE["tests/test_price.py"] + ADDED
    verdict = prove_patch({"shop/price.py": broken, "tests/test_price.py": extended})
    assert (verdict.kind, verdict.lost) == ("unproven", ("tests.test_price.T.test_tax",))
    edited = extended.replace("price.tax(10), 2", "price.tax(12), 2")
    verdict = prove_patch({"shop/price.py": broken, "tests/test_price.py": edited})
    assert (verdict.kind, verdict.lost) == ("unproven", ("tests.test_price.T.test_tax",))
    assert has_note(verdict, "left out: tests/test_price.py")
