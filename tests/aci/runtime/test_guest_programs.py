"""Programs of the guest package as processes of the target's Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from aci.runtime.guest_programs import install_programs

INSIDE = Path(__file__).parents[3] / "aci" / "guest"
STARTED = sorted(
    ".".join(file.relative_to(INSIDE).with_suffix("").parts)
    for file in INSIDE.rglob("*.py")
    if "\ndef main(" in file.read_text(encoding="utf-8")
)
SHOWS_PATH = "import sys\n\ndef main(*words):\n    print(words, sys.path)\n"


class Folder:
    def __init__(self, folder):
        self.folder = folder / "harness"
        self.repository = folder / "repository"
        self.repository.mkdir()

    def write(self, path, data):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)

    def install(self, *modules, **options):
        return install_programs(self.write, str(self.folder), *modules, **options)

    def run(self, *words):
        return subprocess.run(
            [sys.executable, *words], cwd=self.repository, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_every_started_module_is_copied_with_all_that_it_imports(folder):
    standalone = [name for name in STARTED if name != "project_probe"]
    for name in standalone:
        folder.install(name, package=f"_swe_agent_{name.rpartition('.')[2]}")
    imports = "; ".join(f"import _swe_agent_{name.rpartition('.')[2]}.{name}" for name in standalone)
    ran = folder.run("-W", "error", "-c", f"import sys; sys.path.insert(0, {str(folder.folder)!r}); {imports}")
    assert (ran.returncode, ran.stderr, len(standalone) > 8) == (0, "", True)


@pytest.mark.parametrize("options", [(), ("-P",), ("-I",)], ids=" ".join)
def test_no_module_of_repository_is_imported_by_program(folder, options):
    program = folder.install("value_text")
    (folder.folder / "_swe_agent_guest" / "value_text.py").write_text(SHOWS_PATH)
    before = folder.run(*options, "-c", "import sys; print([each for each in sys.path if each])").stdout
    ran = folder.run(*options, program, "value_text", "a", "b c")
    assert ran.stdout == f"('a', 'b c') {before}"


def test_process_that_program_spawns_does_not_run_it_again(folder):
    program = folder.install("value_text")
    (folder.folder / "_swe_agent_guest" / "value_text.py").write_text(
        "import multiprocessing\n\ndef main():\n    print('run')\n"
        "    process = multiprocessing.get_context('spawn').Process(target=print, args=('spawned',))\n"
        "    process.start()\n    process.join()\n"
    )
    ran = folder.run("-u", program, "value_text")
    assert (ran.stdout, ran.stderr) == ("run\nspawned\n", "")
