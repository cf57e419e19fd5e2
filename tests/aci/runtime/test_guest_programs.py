"""Programs of the guest package as processes of the target's Python."""

import subprocess
import sys
from pathlib import Path

import pytest

from aci.runtime.guest_programs import install_programs
from trajectories.plugins import extension_names

GUEST_FOLDER = Path(__file__).parents[3] / "aci" / "guest"
EXTENSIONS = Path(__file__).parents[3] / "extensions"
MODULES = {".".join(file.relative_to(GUEST_FOLDER).with_suffix("").parts): file for file in GUEST_FOLDER.rglob("*.py")}
MODULES |= {
    ".".join([name, *file.relative_to(EXTENSIONS / name / "guest").with_suffix("").parts]): file
    for name in extension_names()
    for file in (EXTENSIONS / name / "guest").rglob("*.py")
}
ENTRY_MODULES = sorted(name for name, file in MODULES.items() if "\ndef main(" in file.read_text(encoding="utf-8"))
COPIED_ALONE = {"project_probe", "pages.server_probe"}
PRINTS_PATH = "import sys\n\ndef main(*words):\n    print(words, sys.path)\n"


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

    def run(self, *arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.repository, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.mark.slow
def test_entry_module_is_copied_with_everything_it_imports(folder):
    standalone = [name for name in ENTRY_MODULES if name not in COPIED_ALONE]
    for name in standalone:
        folder.install(name, package=f"_swe_agent_{name.rpartition('.')[2]}")
    imports = "; ".join(f"import _swe_agent_{name.rpartition('.')[2]}.{name}" for name in standalone)
    result = folder.run("-W", "error", "-c", f"import sys; sys.path.insert(0, {str(folder.folder)!r}); {imports}")
    assert (result.returncode, result.stderr, len(standalone) > 8) == (0, "", True)


@pytest.mark.parametrize("options", [(), ("-P",), ("-I",)], ids=" ".join)
def test_program_imports_no_module_of_repository(folder, options):
    program = folder.install("pytest_ids")
    (folder.folder / "_swe_agent_guest" / "pytest_ids.py").write_text(PRINTS_PATH)
    before = folder.run(*options, "-c", "import sys; print([each for each in sys.path if each])").stdout
    result = folder.run(*options, program, "pytest_ids", "a", "b c")
    assert result.stdout == f"('a', 'b c') {before}"


def test_process_spawned_by_program_does_not_run_it_again(folder):
    program = folder.install("pytest_ids")
    (folder.folder / "_swe_agent_guest" / "pytest_ids.py").write_text(
        "import multiprocessing\n\ndef main():\n    print('run')\n"
        "    process = multiprocessing.get_context('spawn').Process(target=print, args=('spawned',))\n"
        "    process.start()\n    process.join()\n"
    )
    result = folder.run("-u", program, "pytest_ids")
    assert (result.stdout, result.stderr) == ("run\nspawned\n", "")
