import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { events, find } from './lib/events.js';
import { layout } from './views/layout.js';
import { listPage } from './views/list.js';
import { eventPage } from './views/event.js';
import { savedPage } from './views/saved.js';

const port = Number(process.env.PORT || 8112);
const types = { '.css': 'text/css', '.js': 'text/javascript' };

async function route(url) {
  if (url.pathname === '/') return page('What is on', listPage(events));
  if (url.pathname === '/saved') return page('Saved', savedPage(events));

  const match = url.pathname.match(/^\/event\/([a-z-]+)$/);
  if (match && find(match[1])) {
    const event = find(match[1]);
    return page(event.title, eventPage(event));
  }

  if (/^\/public\/[a-z]+\.(css|js)$/.test(url.pathname)) {
    const body = await readFile(new URL(`.${url.pathname}`, import.meta.url));
    return { status: 200, type: types[extname(url.pathname)], body };
  }
  return { ...page('Not found', '<h1>Not found</h1>'), status: 404 };
}

function page(title, main) {
  return { status: 200, type: 'text/html; charset=utf-8', body: layout(title, main) };
}

createServer(async (req, res) => {
  try {
    const { status, type, body } = await route(new URL(req.url, 'http://localhost'));
    res.writeHead(status, { 'content-type': type });
    res.end(body);
  } catch (error) {
    console.error(error);
    res.writeHead(500, { 'content-type': 'text/plain' });
    res.end('Something went wrong.');
  }
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
