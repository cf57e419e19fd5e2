"""Every setting of git whose value can start a program, read or write another file, or contact a server.

The names are those that `git help --config` prints, from git 2.36 to 2.55, and a few that it leaves out. Everything
else that it prints is in `harmless_git_settings.txt`: a test fails for a name that is in neither list, until somebody
has decided where it belongs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

PROGRAM, PATH, URL, SWITCH = "program", "path", "URL", "switch"
HARMLESS = Path(__file__).with_name("harmless_git_settings.txt")

_NAMES = {
    PROGRAM: """
        alias.* alias.*.command browser.<tool>.cmd browser.<tool>.path core.alternateRefsCommand core.askPass
        core.editor core.fsmonitor core.gitProxy core.hooksPath core.pager core.sshCommand credential.<url>.*
        credential.helper diff.<driver>.command diff.<driver>.textconv diff.external difftool.<tool>.cmd
        difftool.<tool>.path filter.<driver>.clean filter.<driver>.process filter.<driver>.smudge
        gc.recentObjectsHook gpg.<format>.program gpg.program gpg.ssh.defaultKeyCommand guitool.<name>.cmd
        help.browser hook.<friendly-name>.command imap.tunnel instaweb.browser instaweb.httpd interactive.diffFilter
        man.<tool>.cmd man.<tool>.path man.viewer merge.<driver>.driver mergetool.<tool>.cmd mergetool.<tool>.path
        pager.<cmd> remote.<name>.receivepack remote.<name>.uploadpack sendemail.<identity>.*
        sendemail.<identity>.<config> sendemail.ccCmd sendemail.headerCmd sendemail.smtpServer sendemail.tocmd
        sequence.editor submodule.<name>.update tar.<format>.command
        trailer.<key-alias>.cmd trailer.<key-alias>.command uploadpack.packObjectsHook web.browser
    """,
    PATH: """
        blame.ignoreRevsFile commit.template core.attributesFile core.excludesFile diff.orderFile
        fetch.fsck.skipList format.outputDirectory format.signatureFile fsck.skipList fsmonitor.socketDir
        gc.repackFilterTo gitcvs.logFile gpg.ssh.allowedSignersFile gpg.ssh.revocationFile http.<url>.*
        http.cookieFile http.proxySSLCAInfo http.proxySSLCert http.proxySSLKey http.sslCAInfo http.sslCAPath
        http.sslCert http.sslKey include.path includeIf.<condition>.path init.templateDir instaweb.modulePath
        mailmap.file receive.fsck.skipList sendemail.aliasesFile sendemail.mailmap.file sendemail.smtpSSLCertPath
        sendemail.smtpSSLClientCert sendemail.smtpSSLClientKey submodule.<name>.gitdir trace2.eventTarget
        trace2.normalTarget trace2.perfTarget user.signingKey
    """,
    URL: """
        branch.<name>.pushRemote branch.<name>.remote bundle.<id>.* bundle.<id>.uri fetch.bundleURI help.htmlPath
        http.proxy imap.host promisor.acceptFromServerUrl remote.<name>.proxy remote.<name>.pushurl remote.<name>.url
        remote.pushDefault submodule.<name>.url url.<base>.insteadOf url.<base>.pushInsteadOf
    """,
    SWITCH: """
        commit.gpgSign commit.verbose core.splitIndex core.untrackedCache diff.submodule feature.experimental
        feature.manyFiles fetch.recurseSubmodules fetch.writeCommitGraph fsmonitor.allowRemote gc.auto gpg.format
        help.autoCorrect hook.<event>.enabled hook.<friendly-name>.enabled hook.<friendly-name>.event index.sparse
        log.mailmap log.showSignature maintenance.<task>.enabled maintenance.auto maintenance.autoDetach
        maintenance.commit-graph.auto maintenance.incremental-repack.auto maintenance.loose-objects.auto
        merge.renormalize merge.verifySignatures protocol.<name>.allow protocol.allow push.gpgSign
        push.recurseSubmodules receive.autogc receive.updateServerInfo remote.<name>.promisor remote.<name>.vcs
        repack.updateServerInfo rerere.enabled status.submoduleSummary submodule.<name>.active
        submodule.<name>.fetchRecurseSubmodules submodule.active submodule.recurse tag.forceSignAnnotated tag.gpgSign
        transfer.bundleURI trailer.<key-alias>.ifmissing uploadpack.allowFilter
    """,
}
KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
"""The kind of each setting, by its name as git prints it."""
FORMAT = {
    "core.worktree": PATH,
    "extensions.*": PATH,
    "extensions.objectFormat": SWITCH,
    "extensions.worktreeConfig": SWITCH,
    "core.bare": SWITCH,
    "core.repositoryFormatVersion": SWITCH,
}
"""Settings that say what the repository is. With a canary as value, the whole repository is refused, so that the others
could not be tried; tests of their own set them."""

MIDDLES = {
    "remote": ("origin",),
    "branch": ("main",),
    "submodule": ("sub",),
    "filter": ("canary", "a=b"),
    "gpg": ("openpgp", "x509", "ssh"),
    "pager": ("log", "show", "diff", "status", "config", "grep"),
    "includeIf": ("gitdir:/", "onbranch:main"),
    "maintenance": ("gc",),
    "protocol": ("ext",),
    "trailer": ("sign",),
}
"""What stands for `<name>` and the like in a section; `canary` elsewhere."""
WHOLE = {
    "filter.<driver>.process": "filter.process.process",
    "credential.<url>.*": "credential.http://127.0.0.1.helper",
    "http.<url>.*": "http.http://127.0.0.1.sslCert",
    "bundle.<id>.*": "bundle.canary.uri",
    "sendemail.<identity>.*": "sendemail.canary.toCmd",
    "sendemail.<identity>.<config>": "sendemail.canary.ccCmd",
}
"""A setting in place of a name, where one is enough."""
VALUES = {
    "gc.auto": "1",
    "gpg.format": "openpgp",
    "help.autoCorrect": "immediate",
    "diff.submodule": "diff",
    "push.recurseSubmodules": "on-demand",
    "protocol.allow": "always",
    "protocol.<name>.allow": "always",
    "push.gpgSign": "if-asked",
    "remote.<name>.vcs": "ext",
    "submodule.active": ".",
    "trailer.<key-alias>.ifmissing": "add",
}
"""Values of switches other than `true`."""
HOOKS = (
    *("applypatch-msg", "pre-applypatch", "post-applypatch", "pre-commit", "pre-merge-commit", "prepare-commit-msg"),
    *("commit-msg", "post-commit", "pre-rebase", "post-checkout", "post-merge", "pre-push", "pre-receive", "update"),
    *("proc-receive", "post-receive", "post-update", "reference-transaction", "push-to-checkout", "pre-auto-gc"),
    *("post-rewrite", "sendemail-validate", "fsmonitor-watchman", "p4-changelist", "p4-prepare-changelist"),
    *("p4-post-changelist", "p4-pre-submit", "post-index-change"),
)
"""Every event for which git starts a hook."""


def unjudged(names: Iterable[str]) -> list[str]:
    """Return the names of settings of which nobody has decided what they can do. Each line of the list of harmless ones
    has a section and the rests of its names; `...` stands for any rest: texts, colours, programs beside git."""
    known = {name.lower() for name in (*KINDS, *FORMAT)}
    whole: list[str] = []
    for line in HARMLESS.read_text("utf-8").lower().splitlines():
        section, _, rests = line.partition(": ")
        for rest in rests.split():
            name = f"{section}.{rest}"
            if name.endswith("..."):
                whole.append(name.removesuffix("..."))
            else:
                known.add(name)
    return [name for name in names if name.lower() not in known and not name.lower().startswith(tuple(whole))]


def concrete(name: str) -> list[str]:
    """Return names of settings with something in place of `<name>` and the like."""
    section = name.partition(".")[0]
    if name in WHOLE:
        return [WHOLE[name]]
    middles = MIDDLES.get(section, ("canary",))
    found = [re.sub(r"<[^>]*>|\*", middle, name) for middle in middles]
    return list(dict.fromkeys(found))
