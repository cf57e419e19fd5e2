"""Branches, commits, trees and files of a repository."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.github_server.objects import git
from tests.github_server.repositories import REPO
from tests.github_server.request import Answer, Refused
from tests.github_server.routes import Call, route
from tests.github_server.schema_defaults import with_defaults
from tests.github_server.state import Repo

READ, WRITE = "contents=read", "contents=write"


def resolve(repo: Repo, name: str) -> str:
    """Return the commit that a branch, tag or hash names. Raises Refused if there is none."""
    candidates = (f"refs/{name}", f"refs/heads/{name}", f"refs/tags/{name}", name)
    return next(filter(None, (repo.sha(ref) for ref in candidates)), "") or _refuse(f"No commit found for SHA: {name}")


def _refuse(message: str, status: int = 422) -> str:
    raise Refused(status, message)


def commit(repo: Repo, sha: str) -> Any:
    text = git(repo.git, "show", "-s", "--format=%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B", sha)
    tree, parents, an, ae, at, cn, ce, ct, message = text.split("\0", 8)
    url = f"{repo.api}/commits/{sha}"
    fields = {
        "sha": sha,
        "node_id": sha,
        "html_url": f"{repo.url}/commit/{sha}",
        "commit": with_defaults(
            "commit.commit",
            {
                "url": f"{repo.api}/git/commits/{sha}",
                "author": {"name": an, "email": ae, "date": at},
                "committer": {"name": cn, "email": ce, "date": ct},
                "message": message.rstrip("\n"),
                "tree": {"sha": tree, "url": f"{repo.api}/git/trees/{tree}"},
            },
            url,
        ),
        "author": None,
        "committer": None,
        "parents": [
            {"sha": parent, "url": f"{repo.api}/commits/{parent}", "html_url": f"{repo.url}/commit/{parent}"}
            for parent in parents.split()
        ],
    }
    return with_defaults("commit", fields, url)


def files(repo: Repo, base: str, head: str) -> list[Any]:
    """Return the files changed since head and base diverged."""
    numbers = git(repo.git, "diff", "--numstat", "--no-renames", "-z", f"{base}...{head}", check=False)
    states = git(repo.git, "diff", "--name-status", "--no-renames", "-z", f"{base}...{head}", check=False).split("\0")
    status = dict(zip(states[1::2], states[0::2], strict=False))
    names = {"A": "added", "D": "removed", "M": "modified", "T": "changed"}
    changed = []
    for line in filter(None, numbers.split("\0")):
        added, removed, path = line.split("\t", 2)
        counts = {"additions": int(added.replace("-", "0")), "deletions": int(removed.replace("-", "0"))}
        blob = git(repo.git, "rev-parse", f"{head}:{path}", check=False).strip() or None
        fields = {
            "sha": blob,
            "filename": path,
            "status": names[status[path]],
            **counts,
            "changes": sum(counts.values()),
        }
        diff = git(repo.git, "diff", "--no-renames", f"{base}...{head}", "--", f":(literal){path}", check=False)
        if "\n@@ " in diff:  # GitHub leaves it out for binary files
            fields["patch"] = diff[diff.index("\n@@ ") + 1 :]
        changed.append(with_defaults("diff-entry", fields, f"{repo.api}/contents/{path}"))
    return changed


@route("GET", REPO + "/branches", READ)
def list_branches(call: Call) -> Answer:
    repo = call.repo
    names = git(repo.git, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()
    return call.page(
        names,
        lambda name: {
            "name": name,
            "protected": name in repo.protected,
            "commit": {"sha": repo.sha(f"refs/heads/{name}"), "url": f"{repo.api}/commits/{name}"},
        },
    )


@route("GET", REPO + "/branches/{branch}", READ)
def get_branch(call: Call) -> Answer:
    repo, name = call.repo, call.parts["branch"]
    sha = repo.sha(f"refs/heads/{name}") or _refuse("Branch not found", 404)
    url = f"{repo.api}/branches/{name}"
    fields = {
        "name": name,
        "commit": commit(repo, sha),
        "protected": name in repo.protected,
        "_links": {"self": url, "html": f"{repo.url}/tree/{name}"},
        "protection": {},
    }
    return Answer(200, with_defaults("branch-with-protection", fields, url))


@route("GET", REPO + "/commits", READ)
def list_commits(call: Call) -> Answer:
    repo, query = call.repo, call.request.query
    start = resolve(repo, query.get("sha") or repo.default_branch)
    path_arguments = ["--", query["path"]] if "path" in query else []
    return call.page(git(repo.git, "rev-list", start, *path_arguments).split(), lambda sha: commit(repo, sha))


@route("GET", REPO + "/commits/{ref}", READ)
def get_commit(call: Call) -> Answer:
    return Answer(200, commit(call.repo, resolve(call.repo, call.parts["ref"])))


@route("GET", REPO + "/git/ref/{ref}", READ)
def get_ref(call: Call) -> Answer:
    name = f"refs/{call.parts['ref']}"
    return Answer(200, _ref(call.repo, name, call.repo.sha(name) or _refuse("Not Found", 404)))


def _ref(repo: Repo, name: str, sha: str) -> Any:
    url = f"{repo.api}/git/{name}"
    return {
        "ref": name,
        "node_id": sha,
        "url": url,
        "object": {"type": "commit", "sha": sha, "url": f"{repo.api}/git/commits/{sha}"},
    }


@route("POST", REPO + "/git/refs", WRITE)
def create_ref(call: Call) -> Answer:
    call.require_push_access()
    name, sha = str(call.body["ref"]), str(call.body["sha"])
    if call.repo.sha(name):
        raise Refused(422, "Reference already exists")
    if not call.repo.sha(sha):
        raise Refused(422, "Object does not exist")
    git(call.repo.git, "update-ref", name, sha)
    return Answer(201, _ref(call.repo, name, sha))


@route("DELETE", REPO + "/git/refs/{ref}", WRITE)
def delete_ref(call: Call) -> Answer:
    call.require_push_access()
    name = f"refs/{call.parts['ref']}"
    if not call.repo.sha(name):
        raise Refused(422, "Reference does not exist")
    git(call.repo.git, "update-ref", "-d", name)
    return Answer(204)


@route("GET", REPO + "/git/trees/{tree_sha}", READ)
def get_tree(call: Call) -> Answer:
    repo, requested = call.repo, call.parts["tree_sha"]
    is_tree = git(repo.git, "cat-file", "-t", requested, check=False).strip() == "tree"
    resolved = requested if is_tree else resolve(repo, requested)
    flags = ["-r", "-t"] if call.request.query.get("recursive") else []
    listing = git(repo.git, "ls-tree", "-z", "-l", *flags, resolved)
    entries = []
    for line in filter(None, listing.split("\0")):
        (mode, kind, sha, size), path = line.split("\t", 1)[0].split(), line.split("\t", 1)[1]
        at = {"mode": mode, "type": kind, "sha": sha, "path": path, "url": f"{repo.api}/git/{kind}s/{sha}"}
        entries.append(at | ({"size": int(size)} if kind == "blob" else {}))
    sha = git(repo.git, "rev-parse", f"{resolved}^{{tree}}").strip()
    return Answer(200, {"sha": sha, "url": f"{repo.api}/git/trees/{sha}", "tree": entries, "truncated": False})


@route("GET", REPO + "/contents/{path}", READ)
def get_contents(call: Call) -> Answer:
    """Return a file, or the entries of a folder."""
    repo, path = call.repo, call.parts["path"].strip("/")
    start = resolve(repo, call.request.query.get("ref") or repo.default_branch)
    kind = git(repo.git, "cat-file", "-t", f"{start}:{path}", check=False).strip()
    if kind == "tree":
        names = git(repo.git, "ls-tree", "-z", "--name-only", f"{start}:{path}").split("\0")
        return Answer(200, [_entry(repo, start, f"{path}/{name}".strip("/")) for name in names if name])
    if not kind:
        raise Refused(404)
    data = git(repo.git, "cat-file", "blob", f"{start}:{path}").encode()
    return Answer(200, {**_entry(repo, start, path), "encoding": "base64", "content": b64encode(data).decode()})


def _entry(repo: Repo, start: str, path: str) -> Any:
    sha = git(repo.git, "rev-parse", f"{start}:{path}").strip()
    kind = "dir" if git(repo.git, "cat-file", "-t", sha).strip() == "tree" else "file"
    size = 0 if kind == "dir" else int(git(repo.git, "cat-file", "-s", sha))
    url, html = f"{repo.api}/contents/{path}?ref={start}", f"{repo.url}/blob/{start}/{path}"
    git_url = f"{repo.api}/git/{'trees' if kind == 'dir' else 'blobs'}/{sha}"
    return {
        "type": kind,
        "size": size,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git_url,
        "html_url": html,
        "download_url": None if kind == "dir" else f"{html}?raw=1",
        "_links": {"self": url, "git": git_url, "html": html},
    }


@route("GET", REPO + "/compare/{basehead}", READ)
def compare_commits(call: Call) -> Answer:
    repo = call.repo
    first, _, second = call.parts["basehead"].partition("...")
    base, head = resolve(repo, first), resolve(repo, second)
    merge_base = git(repo.git, "merge-base", base, head).strip()
    ahead = git(repo.git, "rev-list", "--reverse", f"{base}..{head}").split()
    behind = git(repo.git, "rev-list", f"{head}..{base}").split()
    state = ("diverged" if behind else "ahead") if ahead else ("behind" if behind else "identical")
    fields = {
        "status": state,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "base_commit": commit(repo, base),
        "merge_base_commit": commit(repo, merge_base),
        "commits": [commit(repo, sha) for sha in ahead],
        "files": files(repo, base, head),
    }
    return Answer(200, with_defaults("commit-comparison", fields, f"{repo.api}/compare/{first}...{second}"))
