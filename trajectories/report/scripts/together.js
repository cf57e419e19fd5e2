// Two runs: where they part, and their steps beside each other.

const WHAT = {
  tree: "the files after the step", ok: "whether it worked", exit: "the exit code", text: "what it answered",
  action: "what was called", reply: "what the model said", missing: "only one of the runs has the step",
};

function twoSides(one) {
  return [one.left, one.right].map((text, at) =>
    make("div", "side", flag(at), text ? shown(text, output) : make("p", "soft", "Nothing.")));
}

function stepOf(one) {
  return `${one.branch}#${one.n}`;
}

function parts(title, rows) {
  if (!rows.length) return null;
  return fold("card parts", [`${title}: ${rows.length.toLocaleString("en")}`], () =>
    rows.map((one) => make("div", "", make("p", "", link(0, stepOf(one)), ` ${WHAT[one.what] || one.what}`), make("div", "beside", ...twoSides(one)))));
}

function parting() {
  const found = told.parting;
  if (runs.length < 2 || !found) return null;
  const { first } = found;
  const card = make("div", "card parting");
  if (first) {
    const same = found.same ? `${count(found.same, "step")} alike. ` : "";
    card.append(make("p", "lead", `${same}At `, link(0, stepOf(first)), ` differs ${WHAT[first.what] || first.what}.`));
    card.append(make("div", "beside", ...twoSides(first)));
  } else card.append(make("p", "lead", `They do not part: ${count(found.same || 0, "step")} alike.`));
  const rest = (found.differences || []).slice(first ? 1 : 0);
  return section("parting", "Where they part", card, parts("Further differences", rest), parts("Only the words differ", found.texts || []));
}

function byBranch(run) {
  const made = new Map();
  for (const one of run.items || []) {
    const name = one.branch || "";
    if (!made.has(name)) made.set(name, []);
    made.get(name).push(one);
  }
  return made;
}

// Rows of [of the first, of the second]: steps of one number stand in one row.
function rowsOf(left, right) {
  const key = (one) => (one.kind === "step" ? one.id : `${one.kind} ${one.note || ""} ${one.n ?? ""} ${one.text || ""}`);
  const there = [new Map(), new Map()];
  for (const [side, list] of [left, right].entries()) for (const [at, one] of list.entries()) there[side].set(key(one), at);
  const rows = [];
  let i = 0, j = 0;
  while (i < left.length || j < right.length) {
    const partner = i < left.length ? there[1].get(key(left[i])) : undefined;
    if (partner !== undefined && partner >= j) {
      while (j < partner) rows.push([null, right[j++]]);
      rows.push([left[i++], right[j++]]);
    } else if (i < left.length) rows.push([left[i++], null]);
    else rows.push([null, right[j++]]);
  }
  return rows;
}

const FEW = 3;

function together() {
  const [left, right] = runs.map(byBranch);
  const differing = new Set(((told.parting && told.parting.differences) || []).map(stepOf));
  const alike = (row) => row[0] && row[1] && (row[0].kind !== "step" || !differing.has(row[0].id));
  const made = section("steps", "Steps");
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    if (name) made.append(make("h3", "phase", name));
    let same = [];
    const flush = () => {
      if (same.length >= FEW) made.append(folded(same));
      else made.append(...same.map(pair));
      same = [];
    };
    for (const row of rowsOf(left.get(name) || [], right.get(name) || [])) {
      if (told.parting && alike(row)) same.push(row);
      else {
        flush();
        made.append(pair(row));
      }
    }
    flush();
  }
  return made;
}

function pair(row) {
  const differs = row[0] && row[1] ? "" : "lone";
  const cells = row.map((one, at) => make("div", "side", one ? flag(at) : null, one ? item(at, one) : null));
  return make("div", `beside ${differs}`, ...cells);
}

// Steps that are alike in both are told once.
function folded(rows) {
  const steps = rows.filter(([one]) => one.kind === "step").length;
  const inside = rows.map(([one]) => item(0, one));
  return make("details", "alike", make("summary", "", steps ? `${count(steps, "step")} alike` : "alike"), ...inside);
}
