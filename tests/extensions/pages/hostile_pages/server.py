"""Server of the pages in its folder, and of redirects. What must not happen: they are followed without an end
(`/redirects`, `/slow`), or to another host (`/out`).

    python3 server.py PORT

`console.log` is `console.error` in the pages, since the browser tool reports errors only.
"""

from __future__ import annotations

import sys
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        number = int(query) if query.isdigit() else 0
        if path == "/redirects":  # ten redirects, then pages without an end, to which no limit of a browser applies
            return self._redirect(302, "/pages" if number >= 10 else f"/redirects?{number + 1}")
        if path == "/pages":
            refresh = f'<meta http-equiv="refresh" content="0; url=/pages?{number + 1}">'
            return self._send(f"<!doctype html><title>{number}</title><p>{number}</p>{refresh}")
        if path == "/slow":
            time.sleep(1)
            return self._redirect(307, f"/slow?{number + 1}")
        if path == "/out":
            return self._redirect(308, "http://away.example/from-302" if number > 5 else f"/out?{number + 1}")
        if path.endswith(".html"):
            return self._send(Path(path[1:]).read_text().replace("console.log(", "console.error("))
        return super().do_GET()

    def _redirect(self, code: int, address: str) -> None:
        self.send_response(code)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "max-age=31536000, immutable")
        self.end_headers()
        self.wfile.write(data)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
