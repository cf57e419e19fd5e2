// Reports the results of ava, whose main process collects what happens in the processes of the test files.
'use strict';

const path = require('path');
const { pathToFileURL } = require('url');
const { finishAtExit, result } = require('./lines.cjs');

// Report what the program collects, whose own import of the same module comes later.
function watch(program) {
  const module = path.join(program.slice(0, program.lastIndexOf('/ava/')), 'ava', 'lib', 'run-status.js');
  import(pathToFileURL(module)).then((loaded) => report(loaded.default));
}

function report(RunStatus) {
  let selected = 0;
  finishAtExit(() => selected);
  const record = RunStatus.prototype.emitStateChange;
  RunStatus.prototype.emitStateChange = function (event) {
    const names = event.title ? [event.title] : [];
    const { message, stack } = text(event.err);
    const add = (outcome, titles) => {
      return result(event.testFile, titles, outcome, (event.duration || 0) / 1000, 0, message, stack);
    };
    if (event.type === 'selected-test') {
      selected += 1;
      if (event.skip || event.todo) add('skipped', names);
    } else if (event.type === 'test-passed') add('passed', names);
    else if (event.type === 'test-failed') add('failed', names);
    else if (event.testFile && FAILURES.includes(event.type)) add('error', []);
    return record.call(this, event);
  };
}

const FAILURES = ['hook-failed', 'missing-ava-import', 'uncaught-exception', 'unhandled-rejection', 'worker-failed'];

function text(error) {
  if (!error) return { message: '', stack: '' };
  const cause = error.originalError || error.cause || error;
  const values = (error.values || error.formattedDetails || []).map((one) => `${one.label} ${one.formatted}`);
  const name = error.name || cause.name || 'Error';
  return { message: [`${name}: ${error.message}`, ...values].join('\n'), stack: error.stack || cause.stack || '' };
}

module.exports = { watch };
