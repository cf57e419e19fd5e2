"use strict";
// Control characters and bidirectional controls are shown as visible signs and have no effect.
const COLOURS = /\x1b\[[0-9;:]*m/g;
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
// A fast check, since most texts contain none of them. \udb40 begins the invisible tag characters.
const ANY = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\udb40]/;

function sign(character) {
  const code = character.codePointAt(0);
  return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
}

function plain(text, isDiff) {
  if (!ANY.test(text)) return text;
  const whole = text.replace(COLOURS, "");
  return (isDiff ? whole : whole.replace(/\r\n?/g, "\n")).replace(UNSEEN, sign);
}

const pageData = JSON.parse(
  document.getElementById("page-data").textContent,
  (key, value) => (typeof value === "string" ? plain(value, key === "diff") : value),
);
const runs = pageData.runs || [];
const LETTERS = ["A", "B"];

// The only way to create an HTML element: strings become text nodes.
function make(tag, name, ...inside) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  for (const part of inside) if (part !== null && part !== undefined && part !== "") made.append(part);
  return made;
}

function drawn(tag, facts, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(facts)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

function button(words, name, act) {
  const made = make("button", name, words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

function section(id, title, ...inside) {
  const made = make("section", "", make("h2", "", title), ...inside);
  made.id = id;
  return made;
}

// The part of one run as it is, or the parts of two runs side by side.
function beside(part) {
  const parts = runs.map(part);
  if (runs.length < 2 || !parts.some(Boolean)) return parts[0] || null;
  return make("div", "beside", ...parts.map((one, at) => make("div", "side", flag(at), one || make("p", "soft", "Nothing."))));
}

const flag = (at) => make("span", `flag flag${at}`, LETTERS[at]);

// The id of a run's step on the page, also used as the fragment of its URL.
const place = (at, id) => `${LETTERS[at]}/${id}`;

function link(at, id, words = id) {
  const made = make("a", "to", words);
  made.href = `#${encodeURIComponent(place(at, id))}`;
  return made;
}

// Number formats

function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function short(number) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (number >= size) return `${(number / size).toFixed(number < 10 * size ? 1 : 0)}${unit}`;
  return String(number);
}

function bytes(number) {
  return number < 1e3 ? `${number} B` : `${short(number).replace(/[kMG]$/, " $&")}B`;
}

function money(dollars) {
  if (dollars === 0) return "$0";
  return `$${dollars.toFixed(dollars < 0.1 ? 4 : 2)}`;
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const minute = (at) => String(at || "").replace("T", " ").replace(/(:\d\d)(:\d\d(\.\d+)?)?(Z|\+00:00)?$/, "$1");
