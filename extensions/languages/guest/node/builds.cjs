// Which JavaScript file is built from which TypeScript file: at the same place in a folder for builds, without `src/`.
'use strict';

const fs = require('fs');
const path = require('path');

const FOLDER = '(?:\\.?build|\\.?dist|lib|out|\\.?tmp|\\.?test-build|compiled)';
const BUILT = new RegExp(`^((?:.*/)?)${FOLDER}/(.+)\\.([cm]?)js$`);
const IS_FOLDER = new RegExp(`^${FOLDER}$`);

// The source of a file, by its path in `root`, or the file itself.
function sourceOf(file, root) {
  const match = BUILT.exec(file);
  const places = match ? ['', 'src/'].map((folder) => `${match[1]}${folder}${match[2]}.${match[3]}ts`) : [];
  return places.find((each) => fs.existsSync(path.join(root, each))) || file;
}

// The file that is built from a source below `folder`, if the command names the folder for builds that has it, or the
// source itself.
function builtFrom(file, folder) {
  if (!/\.[cm]?ts$/.test(file)) return file;
  const stem = path.relative(folder, file).replace(/^src\//, '').replace(/\.([cm]?)ts$/, '.$1js');
  const named = process.argv.slice(1).map((word) => path.relative(folder, path.resolve(folder, word)).split(path.sep)[0]);
  const found = named.filter((top) => IS_FOLDER.test(top)).map((top) => [top, path.join(top, 'src')]).flat();
  return found.map((top) => path.join(folder, top, stem)).find((each) => fs.existsSync(each)) || file;
}

module.exports = { builtFrom, sourceOf };
