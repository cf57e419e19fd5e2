// Loaded by every node of a test command (NODE_OPTIONS): makes jest, vitest and mocha report to us as well.
// Any other program is left as it was. CommonJS, for Node 12 and later, without dependencies.
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

// What is asked for, seen from this folder: files, and names of tests (null where whole files are asked for).
function selection(asked, folder) {
  const files = [];
  let names = [];
  for (const node of asked.nodes) {
    const [file, name] = [node.split('::')[0], node.split('::').slice(1).join('::')];
    const place = path.resolve(asked.root, file);
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

function options(name, chosen) {
  const reporter = path.join(__dirname, name + '.cjs');
  const named = chosen.names && chosen.names.length ? pattern(chosen.names) : '';
  if (name === 'jest') {
    const added = ['--reporters=default', '--reporters=' + reporter, '--testLocationInResults', '--watchAll=false'];
    if (chosen.files.length) added.push('--passWithNoTests');
    if (chosen.files.length && !chosen.folders) added.push('--runTestsByPath');
    return added.concat(named ? ['--testNamePattern=' + named] : []);
  }
  if (name === 'vitest') {
    const added = ['--reporter=default', '--reporter=' + reporter, '--run', '--passWithNoTests'];
    return added.concat(named ? ['--testNamePattern=' + named] : []);
  }
  const added = ['--reporter=' + reporter].concat(chosen.folders ? ['--recursive'] : []);
  return added.concat(named ? ['--grep=' + named] : []);
}

function main() {
  const name = program((process.argv[1] || '').split(path.sep).join('/'));
  const file = process.env.SWE_AGENT_RUN;
  if (!name || !file || process.argv.some((word) => word.startsWith('--reporter') && word.includes(__dirname))) return;
  const asked = JSON.parse(fs.readFileSync(file, 'utf8'));
  const chosen = selection(asked, process.cwd());
  const flag = '--require "' + __filename + '"';
  process.env.NODE_OPTIONS = (process.env.NODE_OPTIONS || '').replace(flag, '').trim();
  if (!process.env.NODE_OPTIONS) delete process.env.NODE_OPTIONS;
  process.env.SWE_AGENT_TOLD = file; // children of this process that report for it find it there
  delete process.env.SWE_AGENT_RUN;
  fs.appendFileSync(asked.out, JSON.stringify({ start: name }) + '\n');
  if (asked.nodes.length && !chosen.files.length) {
    fs.appendFileSync(asked.out, JSON.stringify({ finish: 0, expected: 0 }) + '\n');
    process.exit(0); // nothing of what is asked for lies here
  }
  const added = options(name, chosen);
  const end = process.argv.includes('--') ? process.argv.indexOf('--') : process.argv.length;
  process.argv.splice(name === 'mocha' ? end : 2, 0, ...added); // of several reporters mocha takes but the last
  process.argv.push(...(name === 'jest' && chosen.folders ? chosen.files.map(escaped) : chosen.files));
}

main();
