"""Scripts that repeat proofs of patches in Go, Rust and JavaScript."""

import subprocess

import pytest

from extensions.bundles.proof_script import local_script
from tests.aci.conftest import prove_patch
from tests.conftest import git
from tests.extensions.languages.proof.test_other_languages import CASES, ISSUE
from trajectories.records import Base

__all__ = ["prove_patch"]

SCRIPTED = [
    one for one in CASES if one.values[2] and any(word in str(one.id) for word in ("beside", "existing", "row"))
]


@pytest.mark.slow
@pytest.mark.parametrize(("base", "patch", "is_right"), SCRIPTED)
def test_script_repeats_proof_in_another_language(prove_patch, make_repo, base, patch, is_right) -> None:
    """Also if the patch's tests are in the same file as its code, so that taking the file out takes both out."""
    commands = prove_patch(patch, base, command="", issue=ISSUE, edited_tests=True).commands
    repo = make_repo(base)
    for name, text in patch.items():
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "add", "-A")
    file, script = repo.parent / "patch.diff", repo.parent / "proof.sh"
    file.write_text(git(repo, "diff", "--cached") + "\n")
    git(repo, "reset", "-q", "--hard")
    script.write_text(local_script(Base("c" * 40, ""), file, commands))
    done = subprocess.run(["sh", script], cwd=repo, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["The proof holds."]), done.stdout + done.stderr
    assert git(repo, "diff", "--", "*.go", "*.rs", "*.js") == ""  # cargo may write the lock file
