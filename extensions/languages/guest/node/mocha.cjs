// A reporter for mocha, which accepts only one: it also prints what mocha's own `spec` reporter prints.
'use strict';

const fs = require('fs');
const path = require('path');
const { request, write, result } = require('./lines.cjs');
const { selection } = require('./selection.cjs');

const COMMENT = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm;
const TESTS = /(?<![.\w$])(?:describe|context|suite|specify|it|test)\s*(?:\.\s*\w+\s*)*[(`]/;

function folderOf(script) {
  let folder = path.dirname(fs.realpathSync(script));
  while (!fs.existsSync(path.join(folder, 'lib', 'reporters')) && folder !== path.dirname(folder)) {
    folder = path.dirname(folder);
  }
  return folder;
}

function specOf(folder) {
  const base = path.join(folder, 'lib', 'reporters', 'spec');
  return require(['.js', '.cjs', ''].map((end) => base + end).filter((file) => fs.existsSync(file))[0] || base);
}

// Load only the requested files, and those without tests, which may prepare for others. In one process, a file of tests
// can affect other tests while it is loaded, even if none of its own runs.
function loadRequestedFiles(folder) {
  const main = ['.js', '.cjs'].map((end) => path.join(folder, 'lib', `mocha${end}`)).find((file) => fs.existsSync(file));
  const { files } = selection(request, process.cwd());
  const Mocha = main && require(main);
  if (!files.length || !Mocha || !Mocha.prototype) return;
  const isRequested = (file) => files.some((each) => file === each || file.startsWith(each + path.sep));
  const hasTests = (file) => TESTS.test(fs.readFileSync(file, 'utf8').replace(COMMENT, ''));
  for (const name of ['loadFiles', 'loadFilesAsync'].filter((each) => each in Mocha.prototype)) {
    const load = Mocha.prototype[name];
    Mocha.prototype[name] = function (...given) {
      const first = [].concat((this.options || {}).file || []).map((file) => path.resolve(file)); // of --file
      const isLoaded = (file) => isRequested(file) || first.includes(file) || !hasTests(file);
      this.files = this.files.filter((file) => isLoaded(path.resolve(file)));
      return load.apply(this, given);
    };
  }
}

const folder = folderOf(process.argv[1]);
loadRequestedFiles(folder);
const found = specOf(folder);
const Spec = [found, found.Spec, found.default].filter((one) => typeof one === 'function')[0] || class {};

class Reporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    let reported = 0;
    const report = (test, how, error) => {
      const names = test.titlePath ? test.titlePath() : [test.fullTitle()];
      const said = error ? `${error.name || 'Error'}: ${error.message}` : '';
      const file = test.file || (test.parent && test.parent.file) || process.cwd();
      reported += result(file, names, how, (test.duration || 0) / 1000, 0, said, error && error.stack);
    };
    runner.on('pass', (test) => report(test, 'passed'));
    runner.on('pending', (test) => report(test, 'skipped'));
    runner.on('fail', (test, error) => report(test, test.type === 'hook' ? 'error' : 'failed', error));
    runner.on('end', () => {
      const code = Math.min(runner.failures, 255); // mocha exits with the number of failures
      write({ finish: code ? 1 : 0, code, expected: reported });
    });
  }
}

module.exports = Reporter;
