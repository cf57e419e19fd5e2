// Searchable texts, each with a function that unfolds and returns its element.
const leaves = [];

function leaf(text, open) {
  if (text) leaves.push({ text, open });
}

// Folded content is rendered when it is first unfolded.
const fillings = new WeakMap();

function fold(name, heading, content) {
  const box = make("details", name, make("summary", "", ...heading));
  fillings.set(box, content);
  box.addEventListener("toggle", () => box.open && unfold(box));
  return box;
}

function unfold(box) {
  const content = fillings.get(box);
  fillings.delete(box);
  if (content) box.append(...[content()].flat().filter(Boolean));
  box.open = true;
}

// A text in a fold of its own. The element that `block` returns must contain exactly this text.
function pocket(name, heading, text, block) {
  const box = fold(name, heading, () => block(text));
  leaf(text, () => {
    unfold(box);
    return box.lastElementChild;
  });
  return box;
}

function shown(text, block) {
  const made = block(text);
  leaf(text, () => made);
  return made;
}

function output(text, name = "") {
  const made = make("pre", `output ${name}`, text);
  made.tabIndex = 0;
  return made;
}

// Prose: fenced parts are shown as code with their white space.
const FENCED = /^ *(```|~~~)[^\n]*\n[\s\S]*?(?:^ *\1[^\n]*(?:\n|$)|$(?![\s\S]))|`[^`\n]+`/gm;

// The fence marks stay in the text for copying and searching, but take no space.
const tick = (mark) => make("span", "tick", mark);

function rail(line) {
  const [mark, words] = [/^ *(?:`+|~+)/.exec(line)[0], line.replace(/^ *(?:`+|~+)/, "")];
  return make("span", "tick rail", mark, words.trim() ? make("small", "", words) : words);
}

// A fenced block, or the rest of one if `isBegun`; its last line may be missing.
function fence(text, mark, isBegun) {
  const first = isBegun ? "" : /^[^\n]*\n/.exec(text)[0];
  const rest = text.slice(first.length);
  const end = new RegExp(`^ *${mark}[^\\n]*\\n?(?![\\s\\S])`, "m").exec(rest);
  const to = end ? end.index : rest.length;
  return make("code", "fence", first && rail(first), rest.slice(0, to), end && rail(end[0]));
}

function set(text) {
  const made = [];
  let from = 0;
  for (const found of text.matchAll(FENCED)) {
    const [whole, mark] = found;
    made.push(text.slice(from, found.index), mark ? fence(whole, mark) : make("code", "", tick("`"), whole.slice(1, -1), tick("`")));
    from = found.index + found[0].length;
  }
  return [...made, text.slice(from)];
}

// Prose, or text in columns, which needs a monospaced font.
const COLUMNS = /\S {3,}\S/;

function prose(text) {
  const aligned = text.length < MOST_ALIGNED && text.split("\n").filter((line) => COLUMNS.test(line)).length >= 3;
  if (!aligned) return make("div", "prose", ...set(text));
  const made = make("pre", "aligned", text);
  made.tabIndex = 0;
  return made;
}

// A long text is cut; its rest is shown when it is unfolded.
const LONG = 480, MOST_ALIGNED = 3000;

function cutAt(text) {
  return [text.lastIndexOf("\n", LONG) + 1, text.lastIndexOf(" ", LONG)].find((at) => at > LONG / 2) || LONG;
}

// The rest after a cut, which may be inside a fenced block.
function following(text, cut) {
  const fences = [...text.slice(0, cut).matchAll(/^ *(```|~~~)/gm)];
  const rest = text.slice(cut);
  if (fences.length % 2 === 0) return prose(rest);
  const end = new RegExp(`^ *${fences[fences.length - 1][1]}[^\\n]*(?:\\n|$)`, "m").exec(rest);
  const inside = end ? end.index + end[0].length : rest.length;
  return make("div", "prose", fence(rest.slice(0, inside), fences[fences.length - 1][1], true), ...set(rest.slice(inside)));
}

function long(text) {
  if (text.length < LONG * 1.4) return shown(text, prose);
  const whole = prose(text);
  if (whole.tagName === "PRE") return shown(text, () => whole);
  const cut = cutAt(text);
  const box = fold("long", set(text.slice(0, cut)), () => following(text, cut));
  leaf(text, () => {
    unfold(box);
    return box;
  });
  return box;
}

// Diffs

const NAMES_ONLY = /^(diff --git |index |--- |\+\+\+ )/;

function changes(text) {
  const begins = text.search(/^@@ /m);
  if (begins < 0) return text;
  const above = text.slice(0, begins).split("\n").filter((line) => line && !NAMES_ONLY.test(line));
  return above.map((line) => `${line}\n`).join("") + text.slice(begins);
}

function diff(text) {
  const made = make("pre", "diff");
  made.tabIndex = 0;
  let old = 0, now = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(line);
    const row = make("span", hunk ? "hunk" : { "+": "plus", "-": "minus", " ": "same" }[line[0]] || "above", line);
    if (hunk) [old, now] = [Number(hunk[1]), Number(hunk[2])];
    else if (line[0] === "-") row.dataset.line = old++;
    else if (line[0] === "+") row.dataset.line = now++;
    else if (line[0] === " ") [old, row.dataset.line] = [old + 1, now++];
    made.append(row);
  }
  return made;
}

function tally(text) {
  const lines = changes(text).split("\n");
  const added = lines.filter((line) => line[0] === "+").length;
  return sums(added, lines.filter((line) => line[0] === "-").length);
}

function sums(added, removed) {
  return make("span", "sums", added ? make("ins", "", `+${added}`) : "", removed ? make("del", "", `\u2212${removed}`) : "");
}

function file(one, open) {
  const chips = [one.part === "tests" && "test", one.cut].filter(Boolean).map((word) => make("span", "chip", word));
  const heading = [one.status ? make("b", "status", one.status) : "", make("span", "path", one.path || ""), ...chips, tally(one.diff || "")].filter(Boolean);
  const box = pocket("file", heading, changes(one.diff || "") || "No diff was recorded.", diff);
  if (open) unfold(box);
  return box;
}

// A mark for yes, no or not checked

function mark(value) {
  const [word, name, said] = value === true ? ["\u2713", "good", "yes"] : value === false ? ["\u2717", "bad", "no"] : ["\u2013", "soft", "not checked"];
  const made = make("span", `mark ${name}`, word);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", said);
  return made;
}
