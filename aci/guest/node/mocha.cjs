// A reporter for mocha, which takes but one: it prints what mocha's own `spec` prints.
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
    let told = 0;
    const tell = (test, how, error) => {
      const names = test.titlePath ? test.titlePath() : [test.fullTitle()];
      const said = error ? `${error.name || 'Error'}: ${error.message}` : '';
      const file = test.file || (test.parent && test.parent.file) || process.cwd();
      told += result(file, names, how, (test.duration || 0) / 1000, 0, said, error && error.stack);
    };
    runner.on('pass', (test) => tell(test, 'passed'));
    runner.on('pending', (test) => tell(test, 'skipped'));
    runner.on('fail', (test, error) => tell(test, test.type === 'hook' ? 'error' : 'failed', error));
    runner.on('end', () => {
      const code = Math.min(runner.failures, 255); // mocha exits with the number of failures
      write({ finish: code ? 1 : 0, code, expected: told });
    });
  }
}

module.exports = Reporter;
