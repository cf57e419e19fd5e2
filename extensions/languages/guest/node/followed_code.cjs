// Hands a runner's own objects to our reporters, by a statement at the end of the module that defines them, whichever
// way the module is loaded. For runners without an option for reporters.
'use strict';

const Module = require('module');

const FOLLOWED = {
  tap: [/\/(?:libtap\/lib|@tapjs\/core\/dist\/\w+)\/tap\.js$/, "typeof tap === 'function' ? tap() : module.exports"],
  tape: [/\/tape\/index\.js$/, 'module.exports'],
  uvu: [/\/uvu\/dist\/index\.m?js$/, '{ get: () => runner, set: (other) => { runner = other; } }'],
};
const KEY = 'swe-agent.follow';

function statement(file) {
  const name = Object.keys(FOLLOWED).find((each) => FOLLOWED[each][0].test(file));
  return name ? `\n;globalThis[Symbol.for('${KEY}')]('${name}', ${FOLLOWED[name][1]});\n` : '';
}

// Call `found` with the name of each runner whose module is loaded from now on, and with the object above.
function follow(found) {
  globalThis[Symbol.for(KEY)] = found;
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (source, file, ...others) {
    return compile.call(this, source + statement(file), file, ...others);
  };
}

// The same for modules that are imported, as far as this version of Node allows it.
function followImports() {
  if (Module.registerHooks) Module.registerHooks({ load: (url, context, next) => withStatement(url, next(url, context)) });
  else if (Module.register) Module.register(require('url').pathToFileURL(require('path').join(__dirname, 'imports.mjs')));
}

function withStatement(url, loaded) {
  const added = loaded.format === 'module' && loaded.source ? statement(url) : '';
  return added ? Object.assign({}, loaded, { source: Buffer.from(loaded.source).toString() + added }) : loaded;
}

module.exports = { follow, followImports, withStatement };
