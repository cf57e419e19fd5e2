// Loaded by every node process of a test command (NODE_OPTIONS): adds a reporter to jest, vitest and mocha.
// Any other program runs unchanged. CommonJS, for Node 12 and later, without dependencies.
'use strict';

const fs = require('fs');
const path = require('path');

const PROGRAMS = {
  jest: /(?:^|\/)(?:jest|jest-cli|jest\/bin\/jest|react-scripts\/scripts\/test)(?:\.js)?$/,
  vitest: /(?:^|\/)vitest(?:\.mjs)?$/,
  mocha: /(?:^|\/)_?mocha(?:\.c?js)?$|\/mocha\/lib\/cli\/cli\.c?js$/,
};

function program(script) {
  const named = Object.keys(PROGRAMS).filter((name) => PROGRAMS[name].test(script));
  return named[0] || '';
}

// The requested tests in this folder: files, and names of tests (null if whole files are requested).
function selection(request, folder) {
  const files = [];
  let names = [];
  for (const node of request.nodes) {
    const [file, name] = [node.split('::')[0], node.split('::').slice(1).join('::')];
    const place = path.resolve(request.root, file);
    if ((place + path.sep).startsWith(folder + path.sep) && fs.existsSync(place)) {
      if (!files.includes(place)) files.push(place);
      if (!name) names = null;
      else if (names) names.push(name.split(' > ').join(' '));
    }
  }
  return { files, names, folders: files.some((file) => fs.statSync(file).isDirectory()) };
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&');
}

function pattern(names) {
  return '^(?:' + names.map(escaped).join('|') + ')';
}

function options(name, selected) {
  const reporter = path.join(__dirname, name + '.cjs');
  const named = selected.names && selected.names.length ? pattern(selected.names) : '';
  if (name === 'jest') {
    const added = ['--reporters=default', '--reporters=' + reporter, '--testLocationInResults', '--watchAll=false'];
    if (selected.files.length) added.push('--passWithNoTests');
    if (selected.files.length && !selected.folders) added.push('--runTestsByPath');
    return added.concat(named ? ['--testNamePattern=' + named] : []);
  }
  if (name === 'vitest') {
    const added = ['--reporter=default', '--reporter=' + reporter, '--run', '--passWithNoTests'];
    return added.concat(named ? ['--testNamePattern=' + named] : []);
  }
  const added = ['--reporter=' + reporter].concat(selected.folders ? ['--recursive'] : []);
  return added.concat(named ? ['--grep=' + named] : []);
}

function main() {
  const name = program((process.argv[1] || '').split(path.sep).join('/'));
  const file = process.env.SWE_AGENT_RUN;
  if (!name || !file || process.argv.some((word) => word.startsWith('--reporter') && word.includes(__dirname))) return;
  const request = JSON.parse(fs.readFileSync(file, 'utf8'));
  const selected = selection(request, process.cwd());
  const flag = '--require "' + __filename + '"';
  process.env.NODE_OPTIONS = (process.env.NODE_OPTIONS || '').replace(flag, '').trim();
  if (!process.env.NODE_OPTIONS) delete process.env.NODE_OPTIONS;
  process.env.SWE_AGENT_TOLD = file; // for children of this process that report on its behalf
  delete process.env.SWE_AGENT_RUN;
  fs.appendFileSync(request.out, JSON.stringify({ start: name }) + '\n');
  if (request.nodes.length && !selected.files.length) {
    fs.appendFileSync(request.out, JSON.stringify({ finish: 0, expected: 0 }) + '\n');
    process.exit(0); // none of the requested tests is in this folder
  }
  const added = options(name, selected);
  const end = process.argv.includes('--') ? process.argv.indexOf('--') : process.argv.length;
  process.argv.splice(name === 'mocha' ? end : 2, 0, ...added); // mocha uses only the last of several reporters
  process.argv.push(...(name === 'jest' && selected.folders ? selected.files.map(escaped) : selected.files));
}

main();
