// The same as server_probe.py, for workspaces with Node alone. CommonJS, for Node 12 and later.
'use strict';

const fs = require('fs');
const net = require('net');

const LOOPBACK = ['127.0.0.1', '::1'];
const LOCAL = /https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{2,5})/g;
const COLOURS = /\u001b\[[0-9;]*m/g;
const USUAL = [1234, 3000, 4173, 4200, 4321, 5000, 5173, 8000, 8080];
const [FIRST, LAST, MOST_PORTS, MOST_BYTES, ONCE] = [8421, 8520, 8, 200000, 20];

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Connect, send `text` if there is any, and resolve to what is known first: a connection, or the start of an answer.
function ask(host, port, seconds, text) {
  return new Promise((done) => {
    const link = net.connect({ host, port });
    const end = (found) => {
      clearTimeout(timer);
      link.destroy();
      done(found);
    };
    const timer = setTimeout(() => end(false), Math.max(seconds, 0.05) * 1000);
    link.on('connect', () => (text ? link.write(text) : end(true)));
    link.on('data', (data) => end(data.slice(0, 5).toString() === 'HTTP/'));
    link.on('error', () => end(false));
    link.on('close', () => end(false));
  });
}

async function listens(port) {
  return (await ask(LOOPBACK[0], port, 1)) || ask(LOOPBACK[1], port, 1);
}

async function free() {
  let port = FIRST;
  while (port <= LAST && (await listens(port))) port += 1;
  const used = [];
  for (const one of USUAL) if (await listens(one)) used.push(one);
  console.log(`${port > LAST ? '' : port} ${used.join(',')}`);
  return 0;
}

function startOf(name) {
  const data = Buffer.alloc(MOST_BYTES);
  try {
    const file = fs.openSync(name, 'r');
    const size = fs.readSync(file, data, 0, MOST_BYTES, 0);
    fs.closeSync(file);
    return data.toString('latin1', 0, size);
  } catch (error) {
    return ''; // the log does not exist yet, or is being renamed
  }
}

function printedPorts(log) {
  const text = (startOf(`${log}.old`) + startOf(log)).replace(COLOURS, '');
  return [...text.matchAll(LOCAL)].slice(0, MOST_PORTS).map((match) => Number(match[1]));
}

async function wait(seconds, log, port, used, ...others) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const hasEnded = fs.existsSync(`${log}.end`);
    const known = printedPorts(log).concat(others.map(Number));
    const ports = [Number(port)].concat(known.filter((one) => !used.split(',').includes(String(one))));
    for (const one of new Set(ports.filter((one) => one < 65536))) {
      for (const host of LOOPBACK) {
        const text = `GET / HTTP/1.1\r\nHost: localhost:${one}\r\nAccept: text/html\r\nConnection: close\r\n\r\n`;
        const left = (end - Date.now()) / 1000;
        if (left > 0 && (await ask(host, one, Math.min(left, ONCE), text))) {
          console.log(`http://${host === '::1' ? '[::1]' : host}:${one}`);
          return 0;
        }
      }
    }
    if (hasEnded || Date.now() > end) return hasEnded ? 1 : 2;
    await pause(0.1);
  }
}

const [command, ...words] = process.argv.slice(2);
(command === 'free' ? free() : wait(...words)).then((code) => process.exit(code));
