// Reports the results of uvu: the function that runs a suite is replaced by one that watches the suite's tests.
'use strict';

const Module = require('module');
const { follow, followImports } = require('./followed_code.cjs');
const { finishAtExit, place, result, show } = require('./lines.cjs');

let added = 0;

// Follow the program's module at once: later a loader that the tests ask for may compile modules itself.
function watch(program) {
  follow((name, runner) => { if (name === 'uvu') report(runner); });
  followImports();
  Module.createRequire(program)('uvu');
  finishAtExit(() => added);
}

function report(runner) {
  const run = runner.get();
  const watched = (context, suite) => run(context, suite);
  watched.bind = (self, context, suite) => {
    const [file] = place(new Error('here').stack);
    const titles = (test) => (suite ? [suite, test.name] : [test.name]);
    const tests = context.only.length ? context.only : context.tests;
    added += tests.length;
    const copies = tests.map((test) => Object.assign({}, test, {
      handler: (...args) => runTest(test, args, file || process.argv[1], titles(test)),
    }));
    return run.bind(self, Object.assign({}, context, context.only.length ? { only: copies } : { tests: copies }), suite);
  };
  runner.set(watched);
}

async function runTest(test, args, file, names) {
  const begun = Date.now();
  const add = (outcome, error) => {
    const message = error ? [`${error.name}: ${error.message}`, ...values(error)].join('\n') : '';
    result(file, names, outcome, (Date.now() - begun) / 1000, 0, message, error ? error.stack : '');
  };
  try {
    await test.handler(...args);
  } catch (error) {
    add('failed', error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
  add('passed');
}

function values(error) {
  if (!error.operator) return [];
  return [`${error.operator}: ${show(error.actual)} instead of ${show(error.expects || error.expected)}`];
}

module.exports = { watch };
