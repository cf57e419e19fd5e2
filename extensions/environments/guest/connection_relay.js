// The relay for containers with neither Python nor Perl; connection_relay.py documents the frames.
"use strict";
const net = require("net");

const WINDOW = 262144, CHUNK = 32768, WAITING = 4096;
const streams = new Map();
let last = 0;
let pending = Buffer.alloc(0);

function frame(kind, number, value, data) {
  const head = Buffer.alloc(9);
  head.write(kind, 0, "latin1");
  head.writeUInt32BE(number, 1);
  head.writeUInt32BE(value, 5);
  const more = process.stdout.write(data ? Buffer.concat([head, data]) : head);
  if (!more) for (const stream of streams.values()) stream.sock.pause();
}

process.stdout.on("drain", () => {
  for (const stream of streams.values()) if (stream.credit > 0) stream.sock.resume();
});

// Data read beyond the credit is held back, so that no more than the window is ever in flight.
function pass(number, stream) {
  while (stream.held.length && stream.credit > 0) {
    const part = stream.held.subarray(0, Math.min(CHUNK, stream.credit));
    stream.held = stream.held.subarray(part.length);
    stream.credit -= part.length;
    frame("D", number, part.length, part);
  }
  if (stream.held.length) stream.sock.pause();
  else if (stream.ended && !stream.sentEnd) {
    stream.sentEnd = true;
    frame("E", number, 0);
  } else if (!stream.ended) stream.sock.resume();
}

function drop(number) {
  const stream = streams.get(number);
  streams.delete(number);
  if (stream) stream.sock.destroy();
}

const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (sock) => {
  const number = ++last;
  const stream = { sock, credit: WINDOW, owed: 0, held: Buffer.alloc(0), ended: false, sentEnd: false };
  streams.set(number, stream);
  frame("O", number, 0);
  sock.on("data", (data) => {
    stream.held = stream.held.length ? Buffer.concat([stream.held, data]) : data;
    pass(number, stream);
  });
  sock.on("end", () => {
    stream.ended = true;
    pass(number, stream);
  });
  sock.on("error", () => {
    if (streams.has(number)) frame("R", number, 0);
    drop(number);
  });
  sock.on("close", () => streams.delete(number));
  sock.resume();
});

function obey(kind, number, value, data) {
  const stream = streams.get(number);
  if (!stream) return;
  if (kind === "D") {
    stream.sock.write(data, () => {
      stream.owed += data.length;
      if (stream.owed < WINDOW / 4 || !streams.has(number)) return;
      frame("C", number, stream.owed);
      stream.owed = 0;
    });
  } else if (kind === "C") {
    stream.credit += value;
    pass(number, stream);
  } else if (kind === "E") stream.sock.end();
  else if (kind === "R") {
    streams.delete(number);
    stream.sock.removeAllListeners("data").pause();
    stream.sock.end(() => stream.sock.destroy());
  }
}

process.stdin.on("data", (more) => {
  pending = pending.length ? Buffer.concat([pending, more]) : more;
  let at = 0;
  while (pending.length - at >= 9) {
    const kind = pending.toString("latin1", at, at + 1);
    const value = pending.readUInt32BE(at + 5);
    const length = kind === "D" ? value : 0;
    if (pending.length - at - 9 < length) break;
    obey(kind, pending.readUInt32BE(at + 1), value, pending.subarray(at + 9, at + 9 + length));
    at += 9 + length;
  }
  pending = pending.subarray(at);
});
process.stdin.on("end", () => process.exit(0));
process.stdout.on("error", () => process.exit(0));

server.listen(0, "127.0.0.1", WAITING, () => frame("H", process.pid, server.address().port));
