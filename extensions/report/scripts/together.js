// Comparison of two runs: where they diverge, and their steps side by side.

const WHAT = {
  tree: "the files differ after it", ok: "one succeeded and the other failed", exit: "the exit codes differ",
  text: "the outputs differ in their text", action: "the actions differ", reply: "the replies differ",
  missing: "only one of the runs has the step",
};

function twoSides(one) {
  return [one.left, one.right].map((text, at) =>
    make("div", "side", flag(at), text ? shown(text, output) : make("p", "soft", "Nothing.")));
}

function stepOf(one) {
  return `${one.branch}#${one.n}`;
}

// A step that only the second run has is linked there.
const linked = (one) => link(one.what === "missing" && !one.left ? 1 : 0, stepOf(one));

function parts(title, rows) {
  if (!rows.length) return null;
  return fold("card parts", [`${title}: ${rows.length.toLocaleString("en")}`], () =>
    rows.map((one) => make("div", "", make("p", "", linked(one), `: ${WHAT[one.what] || one.what}`), make("div", "beside", ...twoSides(one)))));
}

function parting() {
  const found = pageData.parting;
  if (runs.length < 2 || !found) return null;
  const { first } = found;
  const card = make("div", "card parting");
  if (first) {
    const same = found.same ? `${count(found.same, "step")} identical. Then, at ` : "At ";
    card.append(make("p", "lead", same, linked(first), `, ${WHAT[first.what] || first.what}.`));
    card.append(make("div", "beside", ...twoSides(first)));
  } else card.append(make("p", "lead", `The runs do not diverge: ${count(found.same || 0, "step")} identical.`));
  const rest = (found.differences || []).slice(first ? 1 : 0);
  return section("parting", "Where they diverge", card, parts("Further differences", rest), parts("Only the text differs", found.texts || []));
}

// The steps of each branch, with the items before each. Items without a branch belong to that of the last step.
function byBranch(run) {
  const made = new Map();
  let last = "main";
  const of = (name) => made.get(name) || made.set(name, [{ before: [], step: null }]).get(name);
  for (const one of run.items || []) {
    last = one.branch || last;
    const chunks = of(last), open = chunks[chunks.length - 1];
    if (one.kind !== "step") open.before.push(one);
    else {
      open.step = one;
      chunks.push({ before: [], step: null });
    }
  }
  return made;
}

// Rows of [item of the first run, item of the second]; steps with the same number share a row.
function rowsOf(left, right) {
  const rows = [];
  const number = (chunk) => (chunk && chunk.step ? chunk.step.n : Infinity);
  let i = 0, j = 0;
  while (i < left.length || j < right.length) {
    const [one, other] = [number(left[i]), number(right[j])];
    const chunks = [one <= other && i < left.length ? left[i++] : null, other <= one && j < right.length ? right[j++] : null];
    rows.push(...notes(...chunks.map((chunk) => (chunk ? chunk.before : []))));
    if (chunks.some((chunk) => chunk && chunk.step)) rows.push(chunks.map((chunk) => (chunk && chunk.step) || null));
  }
  return rows;
}

const SAID = ["kind", "note", "text", "request", "n", "data"];
const words = (one) => JSON.stringify([...SAID.map((name) => one[name]), one.ended && one.ended.kind]);

function notes(left, right) {
  const there = right.map(words);
  const both = left.map((one) => {
    const at = there.indexOf(words(one));
    if (at >= 0) there[at] = null;
    return [one, at < 0 ? null : right[at]];
  });
  return [...both, ...right.filter((_, at) => there[at] !== null).map((one) => [null, one])];
}

// The step of each branch where the runs diverge; after it, equal step numbers mean nothing.
function partedAt() {
  const made = new Map();
  for (const one of (pageData.parting && pageData.parting.differences) || [])
    if (["reply", "action", "missing"].includes(one.what)) made.set(one.branch, Math.min(one.n, made.get(one.branch) ?? Infinity));
  return made;
}

const FEW = 3;

function together() {
  const [left, right] = runs.map(byBranch);
  const differing = new Map();
  for (const one of (pageData.parting && pageData.parting.differences) || [])
    differing.set(stepOf(one), [...(differing.get(stepOf(one)) || []), WHAT[one.what] || one.what]);
  const until = partedAt();
  const alike = ([one, other]) => one && other && (one.kind !== "step" || (!differing.has(one.id) && one.n <= (until.get(one.branch) ?? Infinity)));
  const made = [];
  const names = [...new Set([...left.keys(), ...right.keys()])];
  for (const name of names) {
    if (names.length > 1) made.push(() => of(name, make("h3", "phase", name)));
    let same = [];
    const flush = () => {
      const rows = same;
      if (rows.length >= FEW) made.push(() => folded(rows));
      else made.push(...rows.map((row) => () => pair(row)));
      same = [];
    };
    for (const row of rowsOf(left.get(name) || [], right.get(name) || [])) {
      if (pageData.parting && alike(row)) same.push(row);
      else {
        flush();
        const what = row[0] && row[1] && differing.get(row[0].id);
        if (what) made.push(() => of(name, make("p", "event soft", `${row[0].id}: ${what.join(", ")}`)));
        made.push(() => pair(row));
      }
    }
    flush();
  }
  return grow(section("steps", "Steps", sieve()), made);
}

function of(branch, made) {
  made.dataset.branch = branch;
  return made;
}

function pair(row) {
  const [one, other] = row;
  if (one && other && one.kind !== "step") return item(0, one);
  const cells = row.map((each, at) => make("div", "side", ...(each ? [each.note === "phase" ? "" : flag(at), item(at, each)].filter(Boolean) : [])));
  return make("div", "beside", ...cells);
}

function anchor(id) {
  const made = make("span");
  made.id = id;
  return made;
}

// Identical steps are shown once, and can be reached by the id of either run.
function folded(rows) {
  const steps = rows.filter(([one]) => one.kind === "step").length;
  const inside = rows.map(([one, other]) => {
    const made = item(0, one);
    if (one.kind === "step") made.prepend(anchor(place(1, other.id)));
    return made;
  });
  return make("details", "alike", make("summary", "", steps ? `${count(steps, "step")} identical` : "identical"), ...inside);
}
