// A helper file of jasmine that adds a reporter.
'use strict';

const { finishAtExit, place, result } = require('./lines.cjs');

const env = jasmine.getEnv();
const places = new Map();
const suites = [];
let defined = 0;

for (const name of ['it', 'fit', 'xit']) {
  const define = env[name];
  env[name] = function (...args) {
    const spec = define.apply(this, args);
    places.set(spec.id, place(new Error('here').stack));
    defined += 1;
    return spec;
  };
}

const OUTCOMES = { passed: 'passed', failed: 'failed', pending: 'skipped', excluded: 'skipped' };

function report(one, names, outcome) {
  const [file, line] = places.get(one.id) || ['', 0];
  const failure = one.failedExpectations[0] || { message: '', stack: '' };
  const found = file || place(failure.stack || '')[0] || process.argv[1];
  result(found, names, outcome, (one.duration || 0) / 1000, line, failure.message, failure.stack);
}

env.addReporter({
  suiteStarted: (suite) => { suites.push(suite.description); },
  suiteDone: (suite) => {
    if (suite.failedExpectations.length) report(suite, suites.concat(['afterAll']), 'error');
    suites.pop();
  },
  jasmineDone: (all) => { // errors outside of tests, such as that of a file that cannot be loaded
    for (const failure of all.failedExpectations || []) {
      const [file] = place(failure.stack || '');
      result(failure.filename || file || process.argv[1], [], 'error', 0, 0, failure.message, failure.stack);
    }
  },
  specDone: (spec) => { report(spec, suites.concat([spec.description]), OUTCOMES[spec.status] || 'failed'); },
});
finishAtExit(() => defined);
