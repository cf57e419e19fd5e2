"""Replacing versions that npm's registry no longer has; all other versions remain those of the lock file."""

from __future__ import annotations

import re
import shlex

_PACKAGE = r"((?:@[\w.-]+/)?\w[\w.-]*)"
_GONE = re.compile(rf"No matching version found for {_PACKAGE}@|404\s+'{_PACKAGE}@(?:https?:|\d)[^']*' is not in ")
_RELAX = """
const fs = require('fs'), name = process.argv[1], kinds = ['dependencies', 'devDependencies', 'optionalDependencies'];
function edit(file, change) {
  if (!fs.existsSync(file)) return;
  const value = JSON.parse(fs.readFileSync(file, 'utf8'));
  change(value);
  fs.writeFileSync(file, JSON.stringify(value, null, 2) + '\\n');
}
function relaxed(manifest) {
  const asking = kinds.filter((kind) => manifest[kind] && name in manifest[kind]);
  for (const kind of asking) manifest[kind][name] = '*';
  return asking.length > 0;
}
edit('package.json', (manifest) => {
  if (!relaxed(manifest)) manifest.overrides = { ...manifest.overrides, [name]: '*' };
});
for (const file of ['package-lock.json', 'npm-shrinkwrap.json']) edit(file, (lock) => {
  const packages = lock.packages || {};
  for (const place of Object.keys(packages)) if (place.endsWith('node_modules/' + name)) delete packages[place];
  relaxed(packages[''] || {});
  if (lock.dependencies) delete lock.dependencies[name];
});
"""


def unavailable_package(output: str) -> str:
    """Return the package whose required version does not exist, by npm's output; empty if it names none."""
    match = _GONE.search(output)
    return (match[1] or match[2]) if match else ""


def relax_command(package: str) -> str:
    """Return the command that removes the package's version from the manifest and the lock file in its folder."""
    return f"node -e {shlex.quote(_RELAX.strip())} {shlex.quote(package)}"
