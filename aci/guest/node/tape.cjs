// Reports the results of tape, whose harness runs in the process of the tests: they are told by the tests' own events.
'use strict';

const Module = require('module');

// Call `report` with the first module that is tape, as soon as the process loads it.
function watch(report) {
  const load = Module._load;
  Module._load = function (...args) {
    const found = load.apply(this, args);
    if (found && typeof found.getHarness === 'function' && typeof found.createHarness === 'function') {
      Module._load = load;
      report(found);
    }
    return found;
  };
}

// The file of the repository that defines a test, from the stack of its definition.
function place(stack) {
  const frame = /\(?(?:file:\/\/)?(\/[^()\n]*?):(\d+):\d+\)?$/gm;
  const found = [...stack.matchAll(frame)].filter((one) => !one[1].includes('/node_modules/') && !one[1].startsWith(__dirname));
  return found.length ? [found[0][1], Number(found[0][2])] : ['', 0];
}

function report(tape) {
  const { write, result } = require('./lines.cjs');
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

function show(value) {
  return require('util').inspect(value, { depth: 3 }).slice(0, 500);
}

module.exports = { watch, report };
