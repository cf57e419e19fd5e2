// A reporter for Node's own test runner (`node --test`).
'use strict';

const path = require('path');
const { fileURLToPath } = require('url');
const { write, result } = require('./lines.cjs');

// Node 18 names a file that is an ES module by its URL.
function located(file) {
  return path.resolve(file.startsWith('file:') ? fileURLToPath(file) : file);
}

module.exports = async function* report(source) {
  let [reported, failed] = [0, false];
  let open = []; // the names of the tests around the present one
  const printed = {}; // the end of each file's stderr, which says why it could not be loaded
  for await (const { type, data } of source) {
    if (type === 'test:start') open = open.slice(0, data.nesting).concat([data.name]);
    const file = located(data.file || '');
    if (type === 'test:stderr') printed[file] = ((printed[file] || '') + data.message).slice(-4000);
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const error = data.details && data.details.error;
    const isByOthers = Boolean(error) && error.failureType === 'subtestsFailed';
    const isSkipped = data.skip !== undefined || data.todo !== undefined;
    failed = failed || (type === 'test:fail' && !isSkipped);
    if (data.details && data.details.type === 'suite' && (type === 'test:pass' || isByOthers)) continue;
    const isFile = data.nesting === 0 && path.resolve(data.name) === file;
    const cause = (error && error.cause) || error;
    const own = cause && cause.stack ? cause.stack : String(cause || '');
    const said = isFile && error ? printed[file] || own : own;
    const outcome = isSkipped ? 'skipped' : type === 'test:pass' ? 'passed' : isFile ? 'error' : 'failed';
    const names = isFile ? [] : open.slice(0, data.nesting).concat([data.name]);
    const seconds = ((data.details && data.details.duration_ms) || 0) / 1000;
    reported += result(file, names, outcome, seconds, data.line || 0, said, said);
  }
  write({ finish: failed ? 1 : 0, expected: reported });
};
