// A reporter for jest.
'use strict';

const { write, result } = require('./lines.cjs');

const OUTCOMES = { passed: 'passed', failed: 'failed', pending: 'skipped', todo: 'skipped', disabled: 'skipped' };

class Reporter {
  constructor() {
    this.reported = 0;
  }

  onTestResult(test, done) {
    if (done.testExecError || (done.failureMessage && !done.testResults.length)) {
      this.reported += result(test.path, [], 'error', 0, 0, done.failureMessage || String(done.testExecError.message));
    }
    for (const one of done.testResults) {
      const outcome = OUTCOMES[one.status];
      const names = one.ancestorTitles.concat([one.title]);
      const line = one.location ? one.location.line : 0;
      if (outcome) this.reported += result(test.path, names, outcome, (one.duration || 0) / 1000, line, one.failureMessages[0]);
    }
  }

  onRunComplete(contexts, all) {
    if (!all.wasInterrupted) write({ finish: all.success ? 0 : 1, expected: this.reported });
  }
}

module.exports = Reporter;
