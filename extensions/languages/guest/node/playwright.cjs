// A reporter for Playwright's test runner.
'use strict';

const { write, result } = require('./lines.cjs');

// Whether a test failed because its project wants a browser that is not installed: only Chromium is.
function lacksBrowser(test, error) {
  const project = test.parent.project();
  const used = (project && project.use) || {};
  const browser = used.browserName || used.defaultBrowserType || 'chromium';
  return browser !== 'chromium' && /Executable doesn't exist/.test((error && error.message) || '');
}

class Reporter {
  constructor() {
    this.reported = 0;
  }

  printsToStdio() {
    return false;
  }

  onTestEnd(test, ended) {
    const isExpected = ended.status === test.expectedStatus;
    const isFinal = isExpected || ended.status === 'skipped' || ended.retry >= test.retries;
    if (!isFinal || ended.status === 'interrupted') return;
    const error = ended.errors ? ended.errors[0] : ended.error;
    const outcome = ended.status === 'skipped' ? 'skipped' : isExpected ? 'passed' : 'failed';
    if (outcome === 'failed' && lacksBrowser(test, error)) {
      write({ unasked: 1 });
      return;
    }
    const names = test.titlePath().slice(3); // after the root, the project and the file
    const said = error && outcome === 'failed' ? error.message || String(error.value) : '';
    const stack = (error && error.stack) || '';
    this.reported += result(test.location.file, names, outcome, ended.duration / 1000, test.location.line, said, stack);
  }

  onError(error) {
    const file = error.location ? error.location.file : process.cwd();
    this.reported += result(file, [], 'error', 0, 0, error.message || String(error.value), error.stack);
  }

  onEnd(ended) {
    if (ended.status !== 'interrupted') write({ finish: ended.status === 'passed' ? 0 : 1, expected: this.reported });
  }
}

module.exports = Reporter;
