// Reports the results of tap, in the process of each test file. Assertions outside of tests are results of the file.
'use strict';

const { finishAtExit, place, result, show } = require('./lines.cjs');

function report(tap) {
  let added = 0;
  const follow = (test, names, file, line) => {
    const inner = [];
    const broken = []; // the names of tests inside that failed
    const begun = Date.now();
    test.on('subtestAdd', (child) => {
      inner.push(child.name);
      added += 1;
      const [ofChild, at] = place(new Error('here').stack);
      child.on('complete', (results) => { if (!results.ok) broken.push(child.name); });
      follow(child, names.concat([child.name]), file || ofChild || process.argv[1], at || line);
    });
    test.on('complete', (results) => {
      if (!names.length && inner.length >= results.count) return;
      const ofInner = broken.slice();
      const bad = results.failures.find((failure) => {
        const at = ofInner.indexOf(failure.name);
        if (at >= 0) ofInner.splice(at, 1);
        return at < 0;
      });
      const { skip, todo } = test.options || {};
      const outcome = bad ? 'failed' : skip || todo ? 'skipped' : 'passed';
      const seconds = (Date.now() - begun) / 1000;
      const [message, stack] = bad ? text(bad) : ['', ''];
      result(file || process.argv[1], names, outcome, seconds, line, message, stack);
    });
  };
  follow(tap, [], '', 0);
  process.on('uncaughtExceptionMonitor', (error) => {
    result(process.argv[1], [], 'error', 0, 0, `${error && error.name}: ${error && error.message}`, error && error.stack);
  });
  finishAtExit(() => added);
}

function text(failure) {
  const diag = failure.diag || {};
  const compared = 'found' in diag || 'wanted' in diag ? `${show(diag.found)} instead of ${show(diag.wanted)}` : '';
  return [[failure.name, compared, diag.diff].filter(Boolean).join('\n'), frames(diag)];
}

// tap gives frames without "at".
function frames({ stack, at }) {
  const lines = String(stack || '').split('\n').filter(Boolean).map((line) => `    at ${line.trim().replace(/^at /, '')}`);
  if (!lines.length && at && at.fileName) lines.push(`    at ${at.fileName}:${at.lineNumber}:1`);
  return lines.join('\n');
}

module.exports = { report };
