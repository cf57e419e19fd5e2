from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extensions.environments.service_proposals import find_proposals

COMPOSE = b"""\
version: "3"
services:
  web:
    build: .
    image: example/app:${TAG}
    environment:
      image: not-one
  db:  # the database
    image: "postgres:${PG_VERSION:-16}"
    environment:
      POSTGRES_PASSWORD: x
  My_Cache:
    image: redis
volumes:
  db:
    image: nothing
"""
WORKFLOW = b"""\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      postgres:
        image: postgres:15
        ports: ["5432:5432"]
      mysql:
        image: 'mysql:8'
    steps:
      - uses: actions/checkout@v4
        image: no
"""


def test_services_of_compose_files_and_workflows_are_proposed() -> None:
    files = {"docker-compose.yml": COMPOSE, ".github/workflows/ci.yml": WORKFLOW, "README": b"services:\n  a:\n"}
    proposals = [(each.name, each.image, each.path) for each in find_proposals(files)]
    assert proposals == [
        ("postgres", "postgres:15", ".github/workflows/ci.yml"),
        ("mysql", "mysql:8", ".github/workflows/ci.yml"),
        ("my-cache", "redis", "docker-compose.yml"),
    ]


def test_proposal_contains_command_to_approve_it() -> None:
    (proposal,) = find_proposals({"compose.yaml": b"services:\n  db:\n    image: postgres:16\n"})
    assert str(proposal) == (
        "compose.yaml asks for the service db (postgres:16). It is not started unless you approve it "
        "with `swe-agent config set services.db.image postgres:16`."
    )


def test_private_registry_or_invalid_image_is_not_proposed() -> None:
    text = b"services:\n  a:\n    image: localhost:5000/x\n  b:\n    image: $(rm -rf /)\n  c:\n    image: 10.0.0.1/x\n"
    assert find_proposals({"compose.yml": text}) == []


@given(st.text(alphabet="ab :#'\"\n-$\x1b", max_size=200))
def test_proposal_is_safe_to_print_and_paste(text: str) -> None:
    source = f"services:\n  {text}\n  x:\n    image: {text}"
    for proposal in find_proposals({"compose.yml": source.encode()}):
        assert proposal.name.replace("-", "a").isalnum()
        assert not set(proposal.image) & set(" \n\"'$;&|#\x1b")
