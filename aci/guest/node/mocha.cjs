// A reporter for mocha, which accepts only one: it also prints what mocha's own `spec` reporter prints.
'use strict';

const fs = require('fs');
const path = require('path');
const { write, result } = require('./lines.cjs');

function specOf(script) {
  let folder = path.dirname(fs.realpathSync(script));
  while (!fs.existsSync(path.join(folder, 'lib', 'reporters')) && folder !== path.dirname(folder)) {
    folder = path.dirname(folder);
  }
  const base = path.join(folder, 'lib', 'reporters', 'spec');
  return require(['.js', '.cjs', ''].map((end) => base + end).filter((file) => fs.existsSync(file))[0] || base);
}

const found = specOf(process.argv[1]);
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
