// Which tests of a request are in a folder.
'use strict';

const fs = require('fs');
const path = require('path');
const { builtFrom } = require('./builds.cjs');

// The requested tests in this folder: files, and names of tests (null if whole files are requested).
function selection(request, folder) {
  const files = [];
  let names = [];
  for (const node of request.nodes) {
    const [file, name] = [node.split('::')[0], node.split('::').slice(1).join('::')];
    const place = path.resolve(request.root, file);
    if ((place + path.sep).startsWith(folder + path.sep) && fs.existsSync(place)) {
      const run = builtFrom(place, folder);
      if (!files.includes(run)) files.push(run);
      if (!name) names = null;
      else if (names) names.push(name.split(' > ').join(' '));
    }
  }
  return { files, names, folders: files.some((file) => fs.statSync(file).isDirectory()) };
}

module.exports = { selection };
