// Shared by the reporters: result lines, appended as each file or test finishes.
'use strict';

const fs = require('fs');
const path = require('path');
const { sourceOf } = require('./builds.cjs');

const LONGEST = 4000;
const FRAMES = 60;
const request = JSON.parse(fs.readFileSync(process.env.SWE_AGENT_TOLD || process.env.SWE_AGENT_RUN, 'utf8'));
const sources = new Map();
let [ended, requested] = [0, 0]; // tests that have results so far, and results that were requested
const COLOURS = /\u001b\[[0-9;]*m/g;

function write(line) {
  fs.appendFileSync(request.out, JSON.stringify(line) + '\n');
}

function relative(file) {
  const inside = path.relative(request.root, file).split(path.sep).join('/');
  return inside.startsWith('..') ? file : cachedSource(inside);
}

function cachedSource(file) {
  if (!sources.has(file)) sources.set(file, sourceOf(file, request.root));
  return sources.get(file);
}

// The repository's own frames in a stack, innermost last: [path, line, function].
function frames(stack) {
  const found = [];
  const frame = /^\s*at (?:(?:async )?(.+?) \()?(?:file:\/\/)?([^()\n]+?):(\d+):\d+\)?\s*$/gm;
  for (const match of stack.matchAll(frame)) {
    const place = relative(path.resolve(request.root, match[2]));
    if (!path.isAbsolute(place) && !match[2].startsWith('node:') && !place.includes('node_modules/')) {
      found.unshift([place, Number(match[3]), match[1] || '']);
    }
  }
  return found.slice(-FRAMES);
}

function wanted(file, id) {
  const isOfFile = (node) => id === file && node.startsWith(file + '::'); // a file that cannot be loaded
  const isInside = (node) => id.startsWith(node + ' > ') || (file + '/').startsWith(node.replace(/\/$/, '') + '/');
  const below = (node) => id === node || isInside(node) || isOfFile(node);
  return !request.nodes.length || request.nodes.some((node) => below(node.replace(/^\.\//, '')));
}

// Write the result of one test; `names` runs from the outermost suite inwards. Return whether it was requested.
function result(file, names, outcome, seconds, line, message, stack) {
  const place = relative(file);
  const id = names.length ? place + '::' + names.join(' > ') : place;
  ended += names.length ? 1 : 0;
  if (!wanted(place, id)) {
    if (outcome === 'failed' || outcome === 'error') write({ unasked: 1 });
    return false;
  }
  const said = (message || '').replace(COLOURS, '');
  const where = frames((stack || message || '').replace(COLOURS, ''));
  const error = /^(?:Uncaught )?(\w*(?:Error|Exception))\b/.exec(said);
  const own = where.filter((frame) => frame[0] === place)[0];
  requested += 1;
  write({ running: id });
  write({
    id, outcome, path: place, seconds, line: line || (own ? own[1] : 0), error: error ? error[1] : '', trace: where,
    message: said.replace(/\n\s+at .*/g, '').trim().slice(0, LONGEST),
  });
  return true;
}

// The first file of the repository in a stack, where a test is defined, and its line.
function place(stack) {
  const frame = /\(?(?:file:\/\/)?(\/[^()\n]*?):(\d+):\d+\)?$/gm;
  for (const [, file, line] of stack.matchAll(frame)) {
    if (!file.includes('/node_modules/') && !file.startsWith(__dirname)) return [file, Number(line)];
  }
  return ['', 0];
}

function show(value) {
  return require('util').inspect(value, { depth: 3 }).slice(0, 500);
}

// Report the end when this process ends; of the `defined` tests, those without results are missing.
function finishAtExit(defined) {
  process.on('exit', (code) => {
    const missing = Math.max(0, defined() - ended);
    write({ finish: code ? 1 : 0, code, expected: requested + missing });
  });
}

module.exports = { finishAtExit, place, request, result, show, write };
