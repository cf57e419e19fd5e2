"""What counts as a credential in a file: names of files, formats, and names that values are assigned to."""

from __future__ import annotations

from pathlib import Path

import networkx
import pydantic
import pytest

from aci.repository.credentials import (
    LONGEST_PIECE,
    assigned_credentials,
    has_credential_format,
    has_credentials,
    is_credential_file,
    printable_text,
)

TOKEN = "a1B2c3D4" * 2
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5NXgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    "text",
    [
        *("postgres://joe:hunter2@db/x", "sk_live_" + "a1b2c3d4" * 3, JWT, "-----BEGIN RSA PRIVATE KEY-----"),
        *("AKIA" + "A1B2C3D4" * 2, "ghp_" + "a1B2c3D4e" * 4, "xoxb-123456789012-123456789012-" + "a1b2c3d4" * 3),
        *("SG." + "a1b2c3d4e5f" * 2 + "." + "a1b2c3d4e5f" * 3 + "a1b2c3d4e5", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
        *("AccountKey=" + "a1B2c3D4" * 11, "//registry.npmjs.org/:_authToken=npm_" + "a1B2c3D4" * 4),
        *("123456789:" + "a1B2c3D" * 5, "PuTTY-User-Key-File-2: ssh-rsa", "AKCp5" + "a1B2c3D4" * 2),
        'aws_key = "' + "a1B2c3D4" * 5 + '"',
    ],
)
@pytest.mark.parametrize("before", ["", "x = 1\n" * 1000, "x" * (LONGEST_PIECE - 20) + " "])
def test_credential_is_found_by_its_format(text: str, before: str) -> None:
    assert has_credential_format(f"{before}{text}\nx\n")
    assert has_credential_format(printable_text(b"\x7fELF\0\1" + f"{before}{text}".encode() + b"\0\xff"))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "https://user:password@host/x",
            "https://{user}:{password}@host",
            "https://user:%s@host",
            "git@github.com:a/b",
        ),
        *("g0123456789abcdef0123456789abcdef01234567", "https://example.com/a?b=c", "PRIVATE KEY", ""),
        "sha256:" + "0123456789abcdef" * 4,
    ],
)
def test_other_text_has_no_format_of_a_credential(text: str) -> None:
    assert not has_credential_format(text)


@pytest.mark.parametrize(
    "line",
    [
        *('PASSWORD = "hunter2"', 'password: str = "hunter2"', 'self.password = "hunter2"', 'PASSWORD += "hunter2"'),
        *('SECRET_KEY = b"x-y"', 'USER, PASSWORD = "joe", "hunter2"', '[user, [pwd, _]] = "joe", ("hunter2", 1)'),
        *('os.environ["DB_PASSWORD"] = "hunter2"', 'os.environ.setdefault("DB_PASSWORD", "hunter2")'),
        *(f'os.getenv("API_TOKEN", "{TOKEN}")', 'config("DB_PASSWORD", default="hunter2")'),
        *('setattr(x, "PASSWORD", "hunter2")', 'connect(password="hunter2")', 'print(pwd := "hunter2")'),
        *('x = {"user": "x", "password": "hunter2"}', 'DATABASES = {"default": {"PASSWORD": "hunter2"}}'),
        *('def f(user, password="hunter2"): pass', 'def f(*, password="hunter2"): pass', 'lambda pwd="hunter2": 1'),
        *('PASSWORD = "hun" "ter2"', 'PASSWORD = "hun" + "ter2"', 'PASSWORD = f"hunter{1}"', 'PASSWORDS = ["hunter2"]'),
        *('PASSWORD = SecretStr("hunter2")', 'PASSWORD = "hunter2".encode()', 'PASSWORD = "".join(["hun", "ter2"])'),
        *('PASSWORD = os.environ.get("PASSWORD") or "hunter2"', 'PASSWORD = "hunter2" if x else ""'),
        *(f'API_KEY = "{TOKEN}"', f'apiKey = "{TOKEN}"', f'key = "{TOKEN}"', f'TOKENS = {{"joe": "{TOKEN}"}}'),
        *('passphrase = "correct horse"', 'DB_PASS = "hunter2"', 'CREDENTIALS = ("joe", "hunter2")'),
        *('# PASSWORD = "hunter2"', 'DSN = "host=db user=joe password=hunter2"', """J = '{"password": "hunter2"}'"""),
        *('CONFIG = """[db]\npassword = hunter2\n"""', 'def get_password(): return "hunter2"'),
        *('if password == "hunter2": pass', 'AWS_SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY"'),
    ],
)
def test_credential_is_found_by_its_name_in_python(line: str) -> None:
    text = f"import os\n{line}\n"
    assert list(assigned_credentials("x.py", text))
    assert has_credentials("x.py", text)
    assert has_credentials("x.pyi", text)


@pytest.mark.parametrize(
    "line",
    [
        *('PASSWORD = ""', "PASSWORD = None", 'PASSWORD = os.environ["DB_PASSWORD"]', 'x = os.getenv("DB_PASSWORD")'),
        *('PASSWORD = "password"', 'CLIENT_SECRET = "client_secret"', 'PASSWORD_RESET = "password_reset"'),
        *('PASSWORD = "{password}"', 'PASSWORD = "<password>"', 'PASSWORD = "%(password)s"', 'PASSWORD = "****"'),
        *('primary_key = "id"', 'TOKEN = "user_token"', f'monkey = "{TOKEN}"', f'broken = "{TOKEN}"'),
        *('__version__ = "1.2.3"', 'commit_id = "g0123456789abcdef"', 'KEY = "AbstractCacheKeyName"'),
        *("secret = getpass()", 'tokens = ("NUMBER", "STRING", "LEFT_PARENTHESIS2 ")', '"""Set password=hunter2."""'),
        r'X = pool.AddSerializedFile(b"\\n\\x0buser.proto\\x1e\\n\\x04User\\x12\\x10\\n\\x08password\\x18\\x01")',
    ],
)
def test_other_assignment_in_python_is_no_credential(line: str) -> None:
    assert not list(assigned_credentials("x.py", f"{line}\n"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("x.toml", 'password = "hunter2"'), ("x.cfg", "password = hunter2"), ("x.yml", "password: hunter2")),
        *(("x.js", 'password = "hunter2";'), ("x.txt", "password=hunter2"), ("x.json", '{"password": "hunter2"}')),
        *(("x.toml", f'token = "{TOKEN}"'), ("VERSION", f"api_key={TOKEN}"), ("x.json", f'{{"apiKey": "{TOKEN}"}}')),
        *(("broken.py", 'def f(:\nPASSWORD = "hunter2"\n'), ("broken.py", f'print "x"\nTOKEN = "{TOKEN}"\n')),
        ("deep.py", "x = " + "(" * 10_000 + '\nPASSWORD = "hunter2"\n'),
    ],
)
def test_credential_is_found_by_its_name_in_other_files(name: str, text: str) -> None:
    assert has_credentials(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.toml", 'password = "{password}"'),
        ("VERSION", "1.2.3"),
        ("x.txt", "The token is short."),
        ("x.h", "#define X 1"),
    ],
)
def test_other_files_have_no_credentials(name: str, text: str) -> None:
    assert not has_credentials(name, text)


@pytest.mark.parametrize(
    "name",
    [
        *("id_rsa", "id_ed25519", ".env", ".env.local", "prod.env", ".netrc", "_netrc", ".pypirc", "server.pem"),
        *("a/b/server.key", "store.p12", "store.PFX", ".git-credentials", "credentials", "credentials.json", ".pgpass"),
    ],
)
def test_file_of_keys_is_found_by_its_name(name: str) -> None:
    assert is_credential_file(name)


@pytest.mark.parametrize(
    "name", ["id_rsa.pub", ".env.example", "env.py", "key.py", "credentials.py", "pem/x.py", "monkey", "server.crt"]
)
def test_other_file_is_not_found_by_its_name(name: str) -> None:
    assert not is_credential_file(name)


def test_modules_that_others_wrote_are_not_refused() -> None:
    """A refused module breaks the tests that import it: at most one in twenty of hand-written modules is."""
    files = sorted(Path(networkx.__file__).parent.glob("algorithms/*.py"))
    files += sorted(Path(pydantic.__file__).parent.glob("*.py"))
    refused = [file for file in files if has_credentials(file.name, file.read_text("utf-8", "replace"))]
    assert len(refused) <= len(files) / 20, refused
