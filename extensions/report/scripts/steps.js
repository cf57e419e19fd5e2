// The timeline. A step shows its reply and its actions; outputs and diffs are folded.

const colours = runs.map((run) => new Map(ordered(run.branches || []).map((one, index) => [one.name, index % MOST_COLOURS])));
// Whether headings name the phases, so that steps need not.
const phased = runs.map((run) => (run.items || []).some((one) => one.note === "phase"));
const began = runs.map((run) => Date.parse(run.at));

function address(at, id, words) {
  const made = link(at, id, words);
  made.classList.add("address");
  return made;
}

function figures(at, step) {
  const usage = step.usage || {};
  const parts = [];
  if (typeof usage.dollars === "number") parts.push(money(usage.dollars));
  if (usage.input) parts.push(`${short(usage.input)} in, ${short(usage.output || 0)} out`);
  const after = (Date.parse(step.at) - began[at]) / 1000;
  if (Number.isFinite(after)) parts.push(clock(after));
  return make("span", "figures soft", parts.join(" · "));
}

const LONGEST_PEEK = 160;

// The most informative line of an output: the last line of a failure, which names the error, otherwise the first.
function peek(action) {
  const lines = (action.text || "").slice(action.ok === false ? -2000 : 0).slice(0, 2000).split("\n").map((line) => line.trim()).filter(Boolean);
  const line = action.ok === false ? lines[lines.length - 1] : lines[0];
  return line ? make("span", "peek", line.slice(0, LONGEST_PEEK)) : null;
}

function called(at, step, action) {
  const size = typeof action.size === "number" ? action.size : (action.text || "").length;
  const tool = action.tool || "", whole = action.summary || "";
  const did = tool && `${whole} `.startsWith(`${tool} `) ? whole.slice(tool.length + 1) : whole;
  const given = (action.arguments || "").trim();
  const asked = given.includes("\n") || !did.endsWith(given.replace(/^\w+: /, "")) ? given : "";
  const summary = shown(did, (text) => make("span", "summary", text));
  const heading = [mark(action.ok), make("b", "tool", tool), summary, make("span", "size soft", size ? bytes(size) : ""), peek(action)];
  const box = fold("action", heading, () => [
    asked ? output(asked, "arguments") : "",
    action.text ? output(action.text, "answer") : make("p", "soft", "No output."),
    typeof action.picture === "number" ? picture(at, action.picture, `The page after ${tool} in step ${step.id}`) : "",
    typeof action.out === "number" ? elsewhere(at, step, action) : "",
  ]);
  const opened = (name) => () => {
    unfold(box);
    return box.querySelector(name);
  };
  leaf(asked, opened(".arguments"));
  leaf(action.text, opened(".answer"));
  return box;
}

function elsewhere(at, step, action) {
  const whole = typeof action.size === "number" ? `Full output, ${bytes(action.size)}: ` : "Full output: ";
  return make("p", "soft", whole, make("code", "", `swe-agent show ${runs[at].name} ${step.id}`));
}

function step(at, one) {
  const many = (runs[at].branches || []).length > 1;
  const head = make("p", "head", address(at, one.id, many ? one.id : String(one.n ?? one.id)));
  if (one.author && one.author !== "coder") head.append(make("span", "chip", one.author));
  if (one.phase && !phased[at]) head.append(make("span", "soft", one.phase));
  head.append(figures(at, one));
  const made = make("article", `step branch${colours[at].get(one.branch) ?? 0}`, head);
  made.id = place(at, one.id);
  made.tabIndex = -1;
  made.dataset.branch = one.branch || "";
  made.dataset.changes = (one.files || []).length;
  const failed = Boolean(one.error) || (one.actions || []).some((action) => action.ok === false);
  made.dataset.failed = Number(failed);
  made.setAttribute("aria-label", `Step ${one.id}`);
  if (one.text) made.append(long(one.text));
  if (one.reasoning) made.append(pocket("reasoning", ["Reasoning"], one.reasoning, prose));
  if (one.error) made.append(shown(one.error, (text) => make("p", "error", text)));
  for (const action of one.actions || []) made.append(called(at, one, action));
  if (one.said) made.append(long(one.said));
  for (const changed of one.files || []) made.append(file(changed, false));
  if (one.more_files) made.append(make("p", "soft", `and ${count(one.more_files, "more file")}`));
  return made;
}

// Kinds of notes about the work; the others are about the program's operation.
const LOUD = ["candidate", "score", "vote", "prune", "summary"];

function note(at, one) {
  const words = shown(one.text || one.note, (text) => make("span", "", text));
  if (one.note === "phase") return make("h3", "phase", words, (runs[at].branches || []).length > 1 ? make("small", "soft", one.branch) : null);
  if (one.note === "message") return make("div", "turn", make("b", "soft", "The user"), long(one.text || ""));
  const more = simple(one.data).join(" · ");
  return make("p", `event ${LOUD.includes(one.note) ? "" : "soft"}`, make("span", `chip ${one.note}`, one.note), words, more ? make("small", "soft", more) : null);
}

function turn(at, one) {
  const heading = make("b", "soft", [`Turn ${one.n}`, one.strategy, minute(one.at)].filter(Boolean).join(" · "));
  const issue = runs[at].issue || {};
  const asked = (one.request || "").trim();
  const known = !asked || asked === (issue.title || "").trim() || asked === `${issue.title || ""}\n\n${issue.body || ""}`.trim();
  return make("div", "turn", heading, known ? null : long(asked));
}

function left(one) {
  const ended = one.ended || {};
  const words = last(ended);
  const made = make("div", "turn exit", make("b", `outcome ${toneOf(ended)}`, (ended.kind || "ended").replace(/_/g, " ")));
  if (words) made.append(shown(words, (text) => make("span", "", text)));
  return made;
}

function item(at, one) {
  if (one.kind === "step") return step(at, one);
  return one.kind === "turn" ? turn(at, one) : one.kind === "exit" ? left(one) : note(at, one);
}

// Filters

const seen = { what: "all", branch: "" };

function isWanted(one) {
  return (seen.what === "all" || Number(one.dataset[seen.what])) && (seen.branch === "" || one.dataset.branch === seen.branch);
}

// In a comparison, the steps of a row are shown or hidden together.
function sift() {
  finish();
  for (const one of document.querySelectorAll("#steps article")) one.hidden = !isWanted(one);
  for (const row of document.querySelectorAll("#steps .beside, #steps .alike")) {
    const inside = [...row.querySelectorAll("article")], some = inside.some((one) => !one.hidden);
    row.hidden = inside.length ? !some : seen.what !== "all" && !row.querySelector(".turn");
    if (row.matches(".beside")) for (const one of inside) one.hidden = !some;
  }
  for (const one of document.querySelectorAll("#steps .event, #steps .phase"))
    one.hidden = seen.what !== "all" || (seen.branch !== "" && (one.dataset.branch || seen.branch) !== seen.branch);
  for (const one of document.querySelectorAll(".sieve button")) one.setAttribute("aria-pressed", one.dataset.what === seen.what);
  const chosen = document.querySelector(".sieve select");
  if (chosen) chosen.value = seen.branch;
}

function all() {
  Object.assign(seen, { what: "all", branch: "" });
  sift();
}

function only(branch) {
  seen.branch = branch;
  sift();
  document.getElementById("steps").scrollIntoView();
}

function sieve() {
  const made = make("div", "sieve");
  for (const [what, words] of [["all", "all"], ["changes", "with changes"], ["failed", "with failures"]]) {
    const one = button(words, "", () => {
      seen.what = what;
      sift();
    });
    one.dataset.what = what;
    one.setAttribute("aria-pressed", what === "all");
    made.append(one);
  }
  const names = [...new Set(runs.flatMap((run) => (run.branches || []).map((one) => one.name)))];
  if (names.length < 2) return made;
  const choice = make("select", "", new Option("every branch", ""), ...names.map((name) => new Option(name, name)));
  choice.setAttribute("aria-label", "Steps of one branch");
  choice.addEventListener("change", () => {
    seen.branch = choice.value;
    sift();
  });
  made.append(choice);
  return made;
}

// Steps are rendered in batches; `finish` renders the rest at once if all of them are needed.
const MOST_AT_ONCE = 200;
let unmade = [];

function grow(section, rows) {
  unmade = rows;
  const some = () => {
    for (const one of unmade.splice(0, MOST_AT_ONCE)) section.append(one());
    if (unmade.length) setTimeout(some);
  };
  some();
  return section;
}

function finish() {
  for (const one of unmade.splice(0)) document.getElementById("steps").append(one());
}

function steps() {
  const [run] = runs;
  return grow(section("steps", "Steps", sieve()), (run.items || []).map((one) => () => item(0, one)));
}
