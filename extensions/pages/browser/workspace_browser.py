"""The browser of a workspace: started when a page is first opened, restarted after a failure, ended with the
workspace."""

from __future__ import annotations

import shlex
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from aci.runtime.guest_programs import program_source
from extensions.pages.browser.browser_programs import BrowserPrograms, find_browser
from extensions.pages.browser.page_driver import BrowserFailed, PageDriver
from trajectories.errors import UsageError, WorkspaceError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

PROGRAM = "pages/page_driver.cjs"
_browsers: WeakKeyDictionary[Workspace, WorkspaceBrowser] = WeakKeyDictionary()
_lock = Lock()


class WorkspaceBrowser:
    """The browser of one workspace. `programs` is None if the workspace has none, or before `look_up`."""

    def __init__(self, programs: BrowserPrograms | None = None) -> None:
        self.programs = programs
        self._is_known = programs is not None
        self._driver: PageDriver | None = None
        self._starts = 0
        self._lock = Lock()

    def look_up(self, workspace: Workspace) -> None:
        """Find the programs, once. Raises Cancelled if the workspace is stopped."""
        with self._lock:
            if not self._is_known:
                self.programs = find_browser(workspace)
                self._is_known = True

    def ask(self, workspace: Workspace, action: str, **arguments: Any) -> dict[str, Any]:
        """Return the driver's answer (see `PageDriver.ask`). Raises UsageError if there is no browser, or if it fails;
        the next action then starts a new one. An interrupt of the workspace ends the browser."""
        if self.programs is None:
            raise UsageError("There is no browser in this environment.", "Test the page's code in another way.")
        with self._lock:
            try:
                driver = self._driver or self._start(workspace, self.programs)
                return driver.ask(action, **arguments)
            except (BrowserFailed, WorkspaceError) as error:
                self._end()
                raise UsageError(f"The page was lost: {error}.", "Open it again.") from None
            except BaseException:
                self._end()
                raise

    def close(self) -> None:
        """End the browser. The next action starts another one."""
        with self._lock:
            self._end()

    def _start(self, workspace: Workspace, programs: BrowserPrograms) -> PageDriver:
        self._starts += 1
        script = f"{workspace.harness}/{PROGRAM}"
        workspace.write(script, program_source(PROGRAM))
        words = shlex.join([programs.node, script, programs.playwright, programs.chromium])
        command = f"unset NODE_OPTIONS; exec {words} 2>/dev/null"
        self._driver = PageDriver(workspace.converse(command, f"browser_{self._starts}"), workspace.cancel)
        self._driver.start()
        return self._driver

    def _end(self) -> None:
        if self._driver:
            self._driver.close()
        self._driver = None


def browser_of(workspace: Workspace) -> WorkspaceBrowser:
    """Return the workspace's browser. Looks for its programs at the first call; other workspaces do not wait for it."""
    with _lock:
        browser = _browsers.setdefault(workspace, WorkspaceBrowser())
    browser.look_up(workspace)
    return browser
