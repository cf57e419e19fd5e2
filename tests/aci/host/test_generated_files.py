"""Files that git ignores but tests need: which ones are used, and that links and secrets are not."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aci.host.generated_files import ADVICE, GeneratedFiles, find_generated_files, unpack_generated
from aci.host.project_python import ProjectPython
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from tests.conftest import MakeRepo, git
from trajectories.git_store.trees import Trees

Find = Callable[..., GeneratedFiles]
SCM = '[tool.setuptools_scm]\nversion_file = "{0}"\n'
KEY = "sk-proj-" + "a1B2c3D4" * 5
SECRET = "this belongs to the user"


@pytest.fixture
def find(tmp_path: Path) -> Iterator[Find]:
    """`find(root, python, rev)` returns the generated files for a repository."""
    with Trees(tmp_path / "trees.git") as trees:

        def found(
            root: Path, python: Path | None = None, rev: str | None = None, copy_files: tuple[str, ...] = ()
        ) -> GeneratedFiles:
            repository = Repository.open(root)
            options = WorkspaceOptions(repository, repository.base(trees, rev), trees, copy_files=copy_files)
            return find_generated_files(options, ProjectPython(python, "") if python else None)

        yield found


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the user outside of the repository, with files of names that could be used."""
    folder = tmp_path / "outside"
    for name in ("_version.py", "fast.so", "node_modules/index.js", "x.egg-info/PKG-INFO"):
        write(folder / name, SECRET)
    return folder


def put(found: GeneratedFiles, root: Path, packages_in: str = "") -> Path:
    """Put the files into a clone of the repository, and return its folder."""
    clone = root.parent / "clone"
    git(root.parent, "clone", "-q", str(root), str(clone))
    found.save(root.parent / "saved", packages_in)
    found.put(root.parent / "saved", clone)
    return clone


def write(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


# Version files


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[tool.hatch.build.hooks.vcs]\nversion-file = "pkg/_version.py"\n'),
        ("pyproject.toml", '[tool.hatch.build.targets.wheel.hooks.vcs]\nversion-file = "pkg/_version.py"\n'),
        ("hatch.toml", '[build.hooks.vcs]\nversion-file = "pkg/_version.py"\n'),
        ("pyproject.toml", SCM.format("pkg/_version.py")),
        ("pyproject.toml", '[tool.setuptools_scm]\nwrite_to = "./pkg/_version.py"\n'),
        ("setup.py", "from setuptools import setup\nsetup(use_scm_version={'write_to': 'pkg/_version.py'})\n"),
        ("setup.py", 'setup(use_scm_version={\n    "version_file": "pkg/_version.py",\n})\n'),
        ("pyproject.toml", '[tool.pdm.version]\nsource = "scm"\nwrite_to = "pkg/_version.py"\n'),
        ("pyproject.toml", '[tool.versioningit.write]\nfile = "pkg/_version.py"\n'),
    ],
)
def test_version_file_of_each_build_back_end_is_written(find: Find, make_repo: MakeRepo, name: str, text: str) -> None:
    root = make_repo({name: text, "pkg/__init__.py": ""})
    git(root, "tag", "v1.2.3")
    found = find(root)
    assert (list(found.written), found.copied) == (["pkg/_version.py"], {})
    values: dict[str, object] = {}
    exec((put(found, root) / "pkg/_version.py").read_text(), values)
    assert (values["__version__"], values["version_tuple"]) == ("1.2.3", (1, 2, 3))
    assert found.describe() == "Written with the project's version (999.0.0 if unknown): pkg/_version.py."


def test_path_of_version_file_is_relative_to_its_project(find: Find, make_repo: MakeRepo) -> None:
    root = make_repo({"libs/a/pyproject.toml": SCM.format("a/version.py"), "libs/a/a/__init__.py": ""})
    assert b"'999.0.0'" in find(root).written["libs/a/a/version.py"]


@pytest.mark.parametrize(
    ("installed", "version"),
    [
        ("my_tool-3.4.1.dist-info", "3.4.1"),
        ("my_tool-0.1.dev1+g1234567.dist-info", "999.0.0"),
        ("other-2.0", "999.0.0"),
    ],
)
def test_without_tags_version_satisfies_minimum(
    find: Find, make_repo: MakeRepo, tmp_path: Path, installed: str, version: str
) -> None:
    """pytest does not start in a project whose own version is lower than its `minversion`."""
    root = make_repo({"pyproject.toml": SCM.format("v.py") + '[project]\nname = "My.Tool"\n'})
    write(tmp_path / f"env/lib/python3.12/site-packages/{installed}/METADATA")
    assert f"'{version}'".encode() in find(root, tmp_path / "env").written["v.py"]


def test_bare_repository_has_version_file(find: Find, make_repo: MakeRepo, tmp_path: Path) -> None:
    root = make_repo({"pyproject.toml": SCM.format("v.py")})
    git(root, "clone", "-q", "--bare", str(root), str(tmp_path / "bare.git"))
    assert list(find(tmp_path / "bare.git").written) == ["v.py"]


@pytest.mark.parametrize(
    ("template", "content"),
    [
        ("V = {version!r}\\nT = {version_tuple}\\n", "V = '1.2.3'\nT = (1, 2, 3)\n"),
        ("{version", "{version"),
    ],
)
def test_format_specifications_are_not_used(find: Find, make_repo: MakeRepo, template: str, content: str) -> None:
    root = make_repo({"pyproject.toml": SCM.format("v.py") + f'version_file_template = "{template}"\n'})
    git(root, "tag", "v1.2.3")
    assert find(root).written == {"v.py": content.encode()}


@pytest.mark.parametrize(
    "template", ["{}", "{0:>9999999999}", "{other.x}", "{version:>9999999999}", "{version!r:>9}", "{version[0]}"]
)
def test_other_names_in_template_give_default_content(find: Find, make_repo: MakeRepo, template: str) -> None:
    root = make_repo({"pyproject.toml": SCM.format("v.py") + f'version_file_template = "{template}"\n'})
    assert b"__version__ = version = '999.0.0'\n" in find(root).written["v.py"]


def test_version_file_of_checkout_comes_first(find: Find, make_repo: MakeRepo, tmp_path: Path) -> None:
    root = make_repo({"pyproject.toml": SCM.format("v.py"), ".gitignore": "v.py\n"})
    write(root / "v.py", "version = 'mine'\n")
    write(tmp_path / "env/lib/python3.12/site-packages/v.py")
    found = find(root, tmp_path / "env")
    assert (found.copied, found.written) == ({"v.py": root / "v.py"}, {})
    assert (put(found, root) / "v.py").read_text() == "version = 'mine'\n"


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".git/config", ".git/hooks.py", ".git", "../outside/_version.py", "/etc/v.py", "pkg/../../v.py"),
        *("pkg/__init__.py", "nowhere/v.py", "id_rsa", "pkg/.netrc.json", ".ssh.txt", ""),
    ],
)
def test_other_files_cannot_be_declared(find: Find, make_repo: MakeRepo, outside: Path, path: str) -> None:
    ignored = ".env\nid_rsa\n.netrc.json\n.ssh.txt\n"
    root = make_repo({"pyproject.toml": SCM.format(path), ".gitignore": ignored, "pkg/__init__.py": "x = 1\n"})
    for name in (".env", "id_rsa", "pkg/.netrc.json", ".ssh.txt"):
        write(root / name, SECRET)
    assert find(root) == GeneratedFiles()


@pytest.mark.parametrize("path", ["pkg/_version.py", "src/pkg/_version.py", "lib/pkg/_version.py"])
def test_installed_version_file_is_used(find: Find, make_repo: MakeRepo, tmp_path: Path, path: str) -> None:
    root = make_repo({"pyproject.toml": SCM.format(path), f"{Path(path).parent}/__init__.py": ""})
    installed = write(tmp_path / "env/lib/python3.12/site-packages/pkg/_version.py")
    found = find(root, tmp_path / "env")
    assert (found.copied, found.written) == ({path: installed}, {})


@pytest.mark.parametrize("link", ["pkg", "pkg/_version.py"])
def test_installed_link_is_not_used(find: Find, make_repo: MakeRepo, tmp_path: Path, outside: Path, link: str) -> None:
    root = make_repo({"pyproject.toml": SCM.format("pkg/_version.py"), "pkg/__init__.py": ""})
    place = root.parent / "env/lib/python3.12/site-packages" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside if link == "pkg" else outside / "_version.py")
    found = find(root, root.parent / "env")
    assert (found.copied, list(found.written)) == ({}, ["pkg/_version.py"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("credentials.txt", "{}"),
        *(("local_settings.py", ""), ("api_keys.py", ""), ("my_token.txt", ""), ("v.py", f"KEY = '{KEY}'\n")),
    ],
)
def test_files_like_secrets_are_refused_and_named(find: Find, make_repo: MakeRepo, name: str, text: str) -> None:
    root = make_repo({"pyproject.toml": SCM.format(name), ".gitignore": f"{name}\n"})
    write(root / name, text)
    found = find(root)
    assert (found.copied, found.written, found.refused) == ({}, {}, [name])
    assert found.describe() == f"Not copied, because they look like secrets: {name}. {ADVICE}"


@pytest.mark.parametrize(
    ("text", "is_copied"),
    [
        *(('PASSWORD = "hunter2"', False), ('AWS_SECRET_ACCESS_KEY = "a/b"', False), (f'TOKENS = ["{KEY}"]', False)),
        *(('DB = "postgres://joe:hunter2@db/x"', False), ('environ.setdefault("DB_PASSWORD", "hunter2")', False)),
        *(('PASSWORD = environ["PASSWORD"]', True), ('version = "1.2.3"', True)),
    ],
)
def test_imported_module_is_copied_without_credentials(
    find: Find, make_repo: MakeRepo, text: str, is_copied: bool
) -> None:
    root = make_repo({"app.py": "import conf\n", ".gitignore": "conf.py\n"})
    write(root / "conf.py", f"from os import environ\n{text}\n")
    assert (list(find(root).copied), find(root).refused) == ((["conf.py"], []) if is_copied else ([], ["conf.py"]))
    assert list(find(root, copy_files=("conf.py",)).copied) == ["conf.py"]


@pytest.mark.parametrize("name", ["tokenizer.py", "_tokenise.py", "detokenize.py"])
def test_name_that_only_contains_token_is_judged_by_its_content(find: Find, make_repo: MakeRepo, name: str) -> None:
    root = make_repo({"app.py": f"import {name.removesuffix('.py')}\n", ".gitignore": f"{name}\n"})
    write(root / name, "STATES = [0, 1]\n")
    assert (list(find(root).copied), find(root).refused) == ([name], [])
    write(root / name, 'PASSWORD = "hunter2"\n')
    assert (list(find(root).copied), find(root).refused) == ([], [name])


@pytest.mark.parametrize("text", ['users = {"admin": "hunter2"}', 'LOGIN = "joe:hunter2"', 'connect("joe", "hunter2")'])
def test_module_named_after_secrets_is_refused_whatever_its_content(find: Find, make_repo: MakeRepo, text: str) -> None:
    """No name in the module tells that these values are passwords."""
    root = make_repo({"app.py": "import secrets_local\n", ".gitignore": "secrets_local.py\n"})
    write(root / "secrets_local.py", f"{text}\n")
    assert (list(find(root).copied), find(root).refused) == ([], ["secrets_local.py"])


def test_credentials_in_compiled_and_installed_files_are_refused(
    find: Find, make_repo: MakeRepo, tmp_path: Path
) -> None:
    root = make_repo({"pyproject.toml": SCM.format("v.py"), "pkg/__init__.py": "", ".gitignore": "*.so\n"})
    write(root / "pkg/fast.so", f"\x7fELF\0\1{KEY}\0\2")
    write(tmp_path / "env/lib/python3.12/site-packages/v.py", 'PASSWORD = "hunter2"\n')
    found = find(root, tmp_path / "env")
    assert (found.copied, list(found.written), found.refused) == ({}, ["v.py"], ["pkg/fast.so", "v.py"])


def test_each_file_of_metadata_is_judged(find: Find, make_repo: MakeRepo) -> None:
    root = make_repo({"setup.py": "", ".gitignore": "*.egg-info\n"})
    readme = 'Name: x\n\nSet `password = "hunter2"` or https://user:password@host.\n'
    commands = "[console_scripts]\nreset-password = x:reset_the_password2\n"
    refused = {
        "id_rsa": "",
        ".env": "",
        "notes.txt": "password=hunter2",
        "requires.txt": "x @ https://a:hunter2@b/x.whl",
    }
    for name, text in {
        "PKG-INFO": readme,
        "entry_points.txt": commands,
        "sub/x.txt": "",
        "licenses/MIT": "",
        **refused,
    }.items():
        write(root / "x.egg-info" / name, text)
    found = find(root)
    assert list(found.copied) == [f"x.egg-info/{name}" for name in ("PKG-INFO", "entry_points.txt", "licenses/MIT")]
    assert found.refused == [f"x.egg-info/{name}" for name in sorted(refused)]
    assert found.describe().startswith("Not in git, but used from the checkout or the environment: x.egg-info. ")
    assert (put(found, root) / "x.egg-info/licenses/MIT").exists()


def test_all_files_are_listed_for_the_journal(find: Find, make_repo: MakeRepo) -> None:
    names = [f"m{number}" for number in range(9)]
    root = make_repo({"app.py": "".join(f"import {name}\n" for name in names), ".gitignore": "m*.py\n"})
    for name in names:
        write(root / f"{name}.py")
    found = find(root)
    assert "m5" not in found.describe()
    assert all(f"{name}.py" in found.describe_all() for name in names)
    assert found.values()["copied"] == [f"{name}.py" for name in names]


@pytest.mark.parametrize("path", [".git/config", "link/x.py", "link.py", "nowhere.py", "folder", "app.py"])
def test_files_that_cannot_be_named(find: Find, make_repo: MakeRepo, outside: Path, path: str) -> None:
    root = make_repo({"app.py": "", ".gitignore": "link\nlink.py\nfolder\n"})
    write(outside / "x.py")
    (root / "link").symlink_to(outside)
    (root / "link.py").symlink_to(outside / "x.py")
    write(root / "folder/x.py")
    assert find(root, copy_files=(path,)) == GeneratedFiles()
    assert list(find(root, copy_files=("folder/x.py",)).copied) == ["folder/x.py"]


# Links


@pytest.mark.parametrize("rev", [None, "HEAD"])
def test_folder_that_is_a_link_is_not_used(find: Find, make_repo: MakeRepo, outside: Path, rev: str | None) -> None:
    declared = SCM.format("pkg/sub/_version.py")
    root = make_repo({"pyproject.toml": declared, "pkg/sub/__init__.py": "", ".gitignore": "_version.py\n*.so\n"})
    shutil.rmtree(root / "pkg")
    (root / "pkg").symlink_to(outside)
    write(outside / "sub/_version.py", SECRET)
    assert find(root, rev=rev) == GeneratedFiles()


def test_files_that_are_links_are_not_used(find: Find, make_repo: MakeRepo, outside: Path) -> None:
    ignored = "_version.py\n*.so\nnode_modules\n*.egg-info\n"
    root = make_repo({"pyproject.toml": SCM.format("_version.py"), "package.json": "{}", ".gitignore": ignored})
    for name in ("_version.py", "fast.so", "node_modules", "x.egg-info"):
        (root / name).symlink_to(outside / name)
    found = find(root)
    assert (found.copied, found.packages, list(found.written)) == ({}, {}, ["_version.py"])
    assert SECRET not in (put(found, root) / "_version.py").read_text()


def test_version_file_is_not_written_through_a_link(find: Find, make_repo: MakeRepo, outside: Path) -> None:
    root = make_repo({"pyproject.toml": SCM.format("_version.py")})
    found = find(root)
    (root / "_version.py").symlink_to(outside / "_version.py")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "A link")
    put(found, root)
    assert (outside / "_version.py").read_text() == SECRET


def test_links_in_metadata_are_left_out(find: Find, make_repo: MakeRepo, outside: Path) -> None:
    root = make_repo({"setup.py": "", ".gitignore": "*.egg-info\n"})
    write(root / "x.egg-info/PKG-INFO", "Name: x\n")
    (root / "x.egg-info/file").symlink_to(outside / "_version.py")
    (root / "x.egg-info/folder").symlink_to(outside)
    assert [file.name for file in (put(find(root), root) / "x.egg-info").iterdir()] == ["PKG-INFO"]


# Compiled extensions and packages of Node.js


def test_compiled_extension_beside_tracked_files_is_copied(find: Find, make_repo: MakeRepo) -> None:
    root = make_repo({"pkg/__init__.py": "", "venv/README": "", ".gitignore": "*.so\nbuild\nvenv\n"})
    for folder in ("pkg", "build/lib", "venv", "venv/lib", "made"):
        write(root / folder / "fast.cpython-312.so", "\x7fELF")
    write(root / "venv/pyvenv.cfg")
    found = find(root)
    assert list(found.copied) == ["pkg/fast.cpython-312.so"]
    assert (put(found, root) / "pkg/fast.cpython-312.so").read_text() == "\x7fELF"


def test_packages_of_workspace_lead_into_the_clone(find: Find, make_repo: MakeRepo) -> None:
    root = make_repo({"package.json": "{}", "libs/own/index.js": "own", ".gitignore": "node_modules\n"})
    write(root / "node_modules/left/index.js", "left")
    write(root / "node_modules/@scope/right/index.js", "right")
    for name in ("own", "@scope/own"):
        (root / "node_modules" / name).symlink_to("../" * name.count("/") + "../libs/own")
    found = find(root)
    clone = put(found, root)
    packages = clone / "node_modules"
    assert [(packages / name / "index.js").read_text() for name in ("left", "@scope/right")] == ["left", "right"]
    for name in ("own", "@scope/own"):
        assert (packages / name).resolve() == clone / "libs/own"
    assert not (packages / "@scope").is_symlink()
    found.save(root.parent / "other", "/packages")
    shown = root.parent / "other/node_modules/@scope/right"
    assert str(shown.readlink()) == "/packages/node_modules/@scope/right"


def test_archive_of_set_up_is_unpacked_without_links(tmp_path: Path) -> None:
    clone, victim = tmp_path / "clone", tmp_path / "victim"
    clone.mkdir()
    victim.mkdir()
    (clone / "kept.py").write_text("base")
    (clone / "data").symlink_to(victim)
    archive = tmp_path / "generated.tar"
    names = (
        "x.so",
        "deep/er/y.so",
        "kept.py",
        "data/evil",
        "../evil",
        "/tmp/evil-of-set-up",
        ".git/hooks/post-checkout",
    )
    with tarfile.open(archive, "w") as made:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mode = 4, 0o4755
            made.addfile(member, io.BytesIO(b"made"))
        link = tarfile.TarInfo("link.so")
        link.type, link.linkname = tarfile.SYMTYPE, str(victim)
        made.addfile(link)
    unpack_generated(archive, clone)
    files = sorted(str(path.relative_to(clone)) for path in clone.rglob("*") if path.is_file())
    assert files == ["deep/er/y.so", "kept.py", "x.so"]
    assert (clone / "kept.py").read_text() == "base"
    assert (clone / "x.so").stat().st_mode & 0o7777 == 0o711
    assert not (clone / "link.so").is_symlink()
    assert list(victim.iterdir()) == []
