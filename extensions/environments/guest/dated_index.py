"""Package index at a past date: a proxy on loopback that hides newer files of the real indexes from pip.

The program runs in the container of a set-up: standard library only, Python 3.6 and later. Its arguments are the time
(`2024-05-17T08:13:06`, UTC) and the URLs of the indexes. It prints its port and continues in the background. Files that
were uploaded later are left out. All files are listed if a package has no older files, or if an index gives no upload
times (neither by PEP 700 nor by PyPI's own JSON).
"""

import json
import os
import re
import sys
import time
from html import escape
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, Dict, List, Optional, Tuple
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
TIMEOUT = 60
_NAME = re.compile(r"/simple/([A-Za-z0-9][\w.-]*)/$")
_PASSED_ON = ("data-requires-python", "data-yanked", "data-dist-info-metadata", "data-core-metadata")

File = Dict[str, str]
"""The attributes of a link in the index's HTML, with `name` and, if known, `data-upload-time`."""


class Links(HTMLParser):
    """Parser that collects the links of a page."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.files: List[File] = []

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in found:
            found["href"] = urljoin(self.address, found["href"])
            self.files.append({**found, "name": found["href"].partition("#")[0].rpartition("/")[2]})


def read(address: str, tries: int = 3) -> Tuple[str, str, str]:
    """Return the final URL, the content type and the text; server errors are retried. Raises OSError."""
    try:
        with urlopen(Request(address, headers={"Accept": ACCEPT}), timeout=TIMEOUT) as answer:
            return answer.geturl(), answer.headers.get("Content-Type") or "", answer.read().decode("utf-8", "replace")
    except OSError as error:
        if tries == 1 or (isinstance(error, HTTPError) and error.code < 500):
            raise
    time.sleep(1)
    return read(address, tries - 1)


def list_files(index: str, package: str) -> List[File]:
    """Return a package's files; [] if the index does not have the package. Raises OSError, ValueError."""
    try:
        address, kind, text = read("{}/{}/".format(index.rstrip("/"), package))
    except HTTPError as error:
        if error.code == 404:
            return []
        raise
    if "json" in kind:
        files = [from_json(each, address) for each in json.loads(text)["files"]]
    else:
        links = Links(address)
        links.feed(text)
        files = links.files
    if files and not any("data-upload-time" in each for each in files):
        times = upload_times(index, package)
        files = [{**each, "data-upload-time": times.get(each["name"], "")} for each in files]
    return files


def from_json(each: Dict[str, Any], address: str) -> File:
    sums = ["{}={}".format(kind, value) for kind, value in (each.get("hashes") or {}).items()]
    found = {"name": each["filename"], "href": urljoin(address, each["url"]) + ("#" + sums[0] if sums else "")}
    if each.get("requires-python"):
        found["data-requires-python"] = each["requires-python"]
    if each.get("yanked"):
        found["data-yanked"] = str(each["yanked"])
    if each.get("upload-time"):
        found["data-upload-time"] = each["upload-time"]
    return found


def upload_times(index: str, package: str) -> Dict[str, str]:
    """Return the upload time of each file from PyPI's legacy JSON API; {} if the index does not provide it."""
    try:
        releases = json.loads(read(urljoin(index.rstrip("/"), "pypi/{}/json".format(package)))[2])["releases"]
        return {each["filename"]: each["upload_time_iso_8601"] for files in releases.values() for each in files}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def files_until(files: List[File], last: str) -> List[File]:
    """Return the files that existed at the time `last`; all files if none is known to have existed then."""
    return [each for each in files if "" < each.get("data-upload-time", "")[:19] <= last] or files


def page(files: List[File]) -> bytes:
    lines = ["<!DOCTYPE html>"]
    for each in files:
        attributes = "".join(
            ' {}="{}"'.format(name, escape(each[name])) for name in ("href", *_PASSED_ON) if name in each
        )
        lines.append("<a{}>{}</a><br>".format(attributes, escape(each["name"])))
    return "\n".join(lines).encode()


class Handler(BaseHTTPRequestHandler):
    last = ""
    indexes: Tuple[str, ...] = ()

    def do_GET(self) -> None:
        match = _NAME.match(self.path)
        try:
            files = [each for index in self.indexes for each in list_files(index, match[1])] if match else []
            self.answer(200 if files else 404, page(files_until(files, self.last)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.answer(502, escape(repr(error)).encode())

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True


def main(last: str, *indexes: str) -> None:
    server = Server(("127.0.0.1", 0), type("Dated", (Handler,), {"last": last, "indexes": indexes}))
    if os.fork():
        sys.stdout.write("{}\n".format(server.server_address[1]))
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
