// Reports the results of tape, whose harness runs in the process of the tests: they are told by the tests' own events.
'use strict';

const { place, result, show, write } = require('./lines.cjs');

function report(tape) {
  let [reported, failed] = [0, false];
  const follow = (test, names, file, line) => {
    const failures = [];
    let begun = Date.now();
    test.on('prerun', () => { begun = Date.now(); });
    test.on('test', (inner) => follow(inner, names.concat([inner.name]), file, line));
    test.on('result', (one) => { if (one && one.ok === false && !one.todo && !one.skip) failures.push(one); });
    test.on('end', () => {
      const bad = failures[0];
      const stack = bad && bad.error && bad.error.stack ? String(bad.error.stack) : '';
      const said = bad ? [bad.name, bad.operator && `${bad.operator}: ${show(bad.actual)} instead of ${show(bad.expected)}`] : [];
      const outcome = bad ? 'failed' : test._skip || test._todo ? 'skipped' : 'passed';
      failed = failed || Boolean(bad);
      const message = said.filter(Boolean).join('\n');
      reported += result(file, names, outcome, (Date.now() - begun) / 1000, line, message, stack);
    });
  };
  const harness = tape.getHarness();
  harness._results.on('_push', (test) => {
    const [file, line] = place(new Error('here').stack);
    follow(test, [test.name], file || process.argv[1], line);
  });
  harness.onFinish(() => write({ finish: failed ? 1 : 0, expected: reported }));
}

module.exports = { report };
