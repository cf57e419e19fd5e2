// A server of the files in the current folder, for workspaces with Node but no Python. CommonJS, for Node 12 and later.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');

const TYPES = {
  css: 'text/css', html: 'text/html', htm: 'text/html', js: 'text/javascript', mjs: 'text/javascript',
  json: 'application/json', svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg',
  gif: 'image/gif', webp: 'image/webp', woff: 'font/woff', woff2: 'font/woff2', wasm: 'application/wasm',
};
const ROOT = fs.realpathSync(process.cwd());

function fileFor(address) {
  const name = decodeURIComponent(address.split(/[?#]/)[0]);
  let file = path.join(ROOT, path.normalize(`/${name}`));
  if (fs.statSync(file).isDirectory()) file = path.join(file, 'index.html');
  return fs.realpathSync(file);
}

http.createServer((request, response) => {
  let file = '';
  try {
    file = fileFor(request.url);
    const text = fs.readFileSync(file);
    const type = TYPES[path.extname(file).slice(1).toLowerCase()] || 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type.startsWith('text/') ? `${type}; charset=utf-8` : type });
    response.end(text);
  } catch (error) {
    response.writeHead(404, { 'Content-Type': 'text/plain' });
    response.end('Not found');
  }
}).listen(Number(process.env.PORT), '127.0.0.1');
