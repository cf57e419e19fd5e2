// Loaded by every node process of a test command (NODE_OPTIONS): adds a reporter to jest, vitest, mocha, jasmine, ava,
// uvu, tap, tape, Playwright's runner and Node's own.
// Any other program runs unchanged. CommonJS, for Node 12 and later, without dependencies.
'use strict';

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');
const { selection } = require('./selection.cjs');

const PROGRAMS = {
  jest: /(?:^|\/)(?:jest|jest-cli|jest\/bin\/jest|react-scripts\/scripts\/test)(?:\.js)?$/,
  vitest: /(?:^|\/)vitest(?:\.mjs)?$/,
  mocha: /(?:^|\/)_?mocha(?:\.c?js)?$|\/mocha\/lib\/cli\/cli\.c?js$/,
  jasmine: /\/\.bin\/jasmine$|\/jasmine\/bin\/jasmine(?:\.js)?$/,
  ava: /\/\.bin\/ava$|\/ava\/(?:cli\.js|entrypoints\/cli\.mjs)$/,
  uvu: /\/\.bin\/uvu$|\/uvu\/bin\.js$/,
  tap: /\/\.bin\/tap$|\/tap\/(?:bin\/run\.js|dist\/esm\/run\.mjs)$/,
  playwright: /(?:^|\/)(?:playwright|(?:playwright|@playwright\/test)\/cli)(?:\.js)?$/,
};

function program(script) {
  const canReport = process.allowedNodeEnvironmentFlags.has('--test-reporter'); // Node 18.15 and later
  if (process.execArgv.includes('--test')) return canReport ? 'nodetest' : '';
  const named = Object.keys(PROGRAMS).filter((name) => PROGRAMS[name].test(script));
  return named[0] === 'playwright' && process.argv[2] !== 'test' ? '' : named[0] || '';
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\-]/g, '\\$&');
}

function pattern(names) { // vitest 1 puts a blank before the names
  return '^ ?(?:' + names.map(escaped).join('|') + ')';
}

// The options that the command does not have yet: vitest refuses one that it gets twice.
function unlessGiven(...options) {
  return options.filter((option) => !process.argv.some((word) => word === option || word.startsWith(option + '=')));
}

// Whether the command itself selects tests by their names: a second pattern would replace or invert its own.
function hasPattern() {
  const own = /^(?:-g|-f|-t|-i|--grep|--fgrep|--invert|--grep-invert|--testNamePattern)(?:=|$)/;
  return process.argv.slice(2).some((word) => own.test(word));
}

function options(name, selected) {
  const reporter = path.join(__dirname, name + '.cjs');
  const named = selected.names && selected.names.length && !hasPattern() ? pattern(selected.names) : '';
  if (name === 'jest') {
    const added = ['--reporters=default', '--reporters=' + reporter, '--testLocationInResults', '--watchAll=false'];
    if (selected.files.length) added.push(...unlessGiven('--passWithNoTests'));
    if (selected.files.length && !selected.folders) added.push('--runTestsByPath');
    return added.concat(named ? ['--testNamePattern=' + named] : []);
  }
  if (name === 'vitest') {
    const added = ['--reporter=default', '--reporter=' + reporter, ...unlessGiven('--run', '--passWithNoTests')];
    return added.concat(named ? ['--testNamePattern=' + named] : []);
  }
  if (name === 'jasmine') { // which accepts no reporter of a helper in parallel runs
    return process.argv.some((word) => word.startsWith('--parallel')) ? [] : ['--helper=' + path.join(__dirname, 'jasmine.cjs')];
  }
  if (name === 'playwright') {
    const added = ['--reporter=list,' + reporter, '--pass-with-no-tests'];
    return added.concat(named ? ['--grep=' + named.slice(1)] : []); // the names of project and file come first
  }
  const added = ['--reporter=' + reporter].concat(selected.folders ? ['--recursive'] : []);
  return added.concat(named ? ['--grep=' + named] : []);
}

// The runners that are followed without options of ours, and how each is given the requested files.
const TAKES_FILES = {
  ava: (files) => replaceFiles(files),
  tap: (files) => replaceFiles(files),
  uvu: (files) => { // a folder, and an expression for names of files below it
    const names = files.map((one) => path.relative(process.cwd(), one));
    replaceFiles(['.', `^(?:${names.map(escaped).join('|')})`], () => true);
  },
};

const TAKES_VALUE = /^(?:-[a-zA-Z]|--(?:config|cwd|ignore|require|match|node-arguments|timeout|reporter|jobs|concurrency))$/;

// Put `files` in the place of the command's words that are files, and no values of options.
function replaceFiles(files, isFile = (word) => /[*{]/.test(word) || fs.existsSync(word)) {
  const isOther = (word, at, words) => word.startsWith('-') || TAKES_VALUE.test(words[at - 1] || '') || !isFile(word);
  const others = process.argv.slice(2).filter(isOther);
  process.argv.splice(2, process.argv.length, ...others, ...files);
}

// Node's own runner takes no options from here: it is started again with them, and without names of tests, since
// nested tests run only if their parents match too.
function runAgain(selected) {
  const own = process.execArgv.filter((word, index, words) => {
    return !/^--test-reporter/.test(word) && !/^--test-reporter(?:-destination)?$/.test(words[index - 1] || '');
  });
  const reporters = ['spec', path.join(__dirname, 'nodetest.cjs')];
  const added = reporters.map((each) => [`--test-reporter=${each}`, '--test-reporter-destination=stdout']);
  const files = selected.files.length && !selected.folders ? selected.files : process.argv.slice(1);
  const words = own.concat(...added, files);
  const ran = childProcess.spawnSync(process.execPath, words, { stdio: 'inherit' });
  process.exit(ran.status === null ? 1 : ran.status);
}

// The tests of tap and tape report in the process that runs them. It may be the program of tape, which gets the files.
function followTests(file) {
  const { follow, followImports } = require('./followed_code.cjs');
  let isFollowed = false;
  follow((name, object) => {
    if (isFollowed || !['tap', 'tape'].includes(name)) return;
    isFollowed = true;
    const request = JSON.parse(fs.readFileSync(file, 'utf8'));
    begin(request, file, name, selection(request, process.cwd()));
    require(`./${name}.cjs`).report(object);
  });
  if (process.env.TAP === '1') followImports();
  if (!/\/tape\/bin\/(?:tape|import-or-require\.js)$/.test(process.argv[1] || '')) return;
  const { files } = selection(JSON.parse(fs.readFileSync(file, 'utf8')), process.cwd());
  if (files.length) process.argv.splice(2, process.argv.length, ...files);
}

function main() {
  const script = (process.argv[1] || '').split(path.sep).join('/');
  const name = program(script);
  const file = process.env.SWE_AGENT_RUN;
  if (!file || process.argv.some((word) => word.startsWith('--reporter') && word.includes(__dirname))) return;
  if (!name) {
    followTests(file);
    return;
  }
  const request = JSON.parse(fs.readFileSync(file, 'utf8'));
  const selected = selection(request, process.cwd());
  begin(request, file, name, selected, name === 'tap');
  if (name === 'nodetest') runAgain(selected);
  if (name === 'ava') require('./ava.cjs').watch(fs.realpathSync(process.argv[1]));
  if (name === 'uvu') require('./uvu.cjs').watch(fs.realpathSync(process.argv[1]));
  if (name === 'tap') require('./lines.cjs').finishAtExit(() => 0);
  if (name in TAKES_FILES) {
    if (selected.files.length) TAKES_FILES[name](selected.files);
    return;
  }
  const added = options(name, selected);
  if (name === 'jasmine' && selected.files.length) replaceFiles([]);
  const end = process.argv.includes('--') ? process.argv.indexOf('--') : process.argv.length;
  const place = { mocha: end, playwright: 3 }[name] || 2; // mocha uses only the last of several reporters
  process.argv.splice(place, 0, ...added);
  const isPattern = name === 'playwright' || (name === 'jest' && selected.folders);
  process.argv.push(...(isPattern ? selected.files.map(escaped) : selected.files));
}

// Start the report of this process; its children report on its behalf, or each for itself.
function begin(request, file, name, selected, isForItself = false) {
  const flag = '--require "' + __filename + '"';
  if (!isForItself) {
    process.env.NODE_OPTIONS = (process.env.NODE_OPTIONS || '').replace(flag, '').trim();
    if (!process.env.NODE_OPTIONS) delete process.env.NODE_OPTIONS;
    process.env.SWE_AGENT_TOLD = file;
    delete process.env.SWE_AGENT_RUN;
  }
  fs.appendFileSync(request.out, JSON.stringify({ start: name }) + '\n');
  if (request.nodes.length && !selected.files.length) {
    fs.appendFileSync(request.out, JSON.stringify({ finish: 0, expected: 0 }) + '\n');
    process.exit(0); // none of the requested tests is in this folder
  }
}

main();
