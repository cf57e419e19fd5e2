// The tree of branches: a lane for each over all steps in order, with candidates and scores below.

const MOST_COLOURS = 6;

function ordered(branches) {
  const names = new Set(branches.map((one) => one.name));
  const children = new Map();
  for (const one of branches) {
    const parent = names.has(one.parent) && one.parent !== one.name ? one.parent : "";
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(one);
  }
  const rows = [], left = [...(children.get("") || [])].reverse();
  const seen = new Set();
  while (left.length) {
    const one = left.pop();
    if (seen.has(one.name)) continue;
    seen.add(one.name);
    rows.push(one);
    left.push(...[...(children.get(one.name) || [])].reverse());
  }
  return [...rows, ...branches.filter((one) => !seen.has(one.name))];
}

function lanes(run) {
  const steps = (run.items || []).filter((item) => item.kind === "step");
  const at = new Map(steps.map((step, index) => [step.id, steps.length > 1 ? 1 + (98 * index) / (steps.length - 1) : 50]));
  const rows = ordered(run.branches || []);
  const row = new Map(rows.map((one, index) => [one.name, index]));
  const own = new Map(rows.map((one) => [one.name, []]));
  for (const step of steps) if (own.has(step.branch)) own.get(step.branch).push(at.get(step.id));
  const forks = rows.map((one) => {
    const first = own.get(one.name)[0];
    const from = at.get(one.from) ?? (first === undefined ? 0 : Math.max(0, first - 1));
    return { x: from, above: row.get(one.parent) ?? row.get(one.name), below: row.get(one.name) };
  });
  return rows.map((one, index) => ({ one, index, xs: own.get(one.name), forks }));
}

function lane({ one, index, xs, forks }) {
  const picture = drawn("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", class: "lane", "aria-hidden": "true" });
  const drawnYet = new Set();
  const line = (x1, y1, x2, y2, name) => picture.append(drawn("line", { x1, y1, x2, y2, class: name }));
  for (const fork of forks) {
    if (fork.above >= fork.below || index < fork.above || index > fork.below) continue;
    const [from, to] = [index === fork.above ? 10 : 0, index === fork.below ? 10 : 20];
    if (!drawnYet.has(`${fork.x} ${from} ${to}`)) line(fork.x, from, fork.x, to, "trunk");
    drawnYet.add(`${fork.x} ${from} ${to}`);
  }
  const name = `branch${index % MOST_COLOURS}`;
  const from = forks[index].above < index ? forks[index].x : xs[0];
  if (xs.length) line(from, 10, xs[xs.length - 1], 10, `trunk ${name}`);
  const apart = Math.ceil(xs.length / 200);
  for (const x of xs.filter((_, number) => number % apart === 0)) line(x, 10, x, 10, `dot ${name}`);
  if (xs.length) line(xs[xs.length - 1], 10, xs[xs.length - 1], 10, `dot end ${one.ended && colour(one.ended) !== "plain" ? colour(one.ended) : name}`);
  return picture;
}

function laned(at, row) {
  const { one, index } = row;
  const steps = make("button", "quiet", count(one.steps || 0, "step"));
  steps.type = "button";
  steps.addEventListener("click", () => only(one.name));
  const from = one.from ? make("small", "soft", "from ", link(at, one.from)) : null;
  const facts = make("span", "figures", steps, typeof one.dollars === "number" ? make("span", "", money(one.dollars)) : null);
  if (one.ended) facts.append(make("b", colour(one.ended), one.ended.replace(/_/g, " ")));
  return make("li", "", make("span", `name branch${index % MOST_COLOURS}`, one.name, from), lane(row), facts);
}

function simple(data) {
  const rows = Object.entries(data || {}).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  return rows.map(([name, value]) => `${plain(name)} ${typeof value === "number" ? Number(value.toPrecision(6)) : String(value).slice(0, 80)}`);
}

// A score's data as tables of the candidates and their figures.
const MOST_ROWS = 50, MOST_COLUMNS = 8;

function cell(value) {
  if (typeof value === "number") return make("td", "number", Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4))));
  return shown(value === null || value === undefined || typeof value === "object" ? "" : String(value), (text) => make("td", "", text));
}

function tables(data) {
  const lists = Object.values(data || {}).filter((rows) => Array.isArray(rows) && rows.length && rows.every((row) => row && typeof row === "object" && !Array.isArray(row)));
  return lists.map((rows) => {
    const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].slice(0, MOST_COLUMNS);
    const first = make("tr", "", ...names.map((name) => make("th", rows.some((row) => typeof row[name] === "number") ? "number" : "", plain(name))));
    const body = rows.slice(0, MOST_ROWS).map((row) => make("tr", "", ...names.map((name) => cell(row[name]))));
    const made = make("div", "scroll", make("table", "", make("thead", "", first), make("tbody", "", ...body)));
    made.tabIndex = 0;
    return made;
  });
}

function scored({ one, index }) {
  return (one.scores || []).map((given) => {
    const words = [given.text, ...simple(given.data)].filter(Boolean).join(" · ");
    const inside = make("div", "", shown(words, (text) => make("span", "", text)), ...tables(given.data));
    const name = make("span", `name branch${index % MOST_COLOURS}`, one.name);
    return make("li", "", name, make("span", `chip ${given.kind}`, given.kind), inside);
  });
}

function branches() {
  const part = (run, at) => {
    const rows = lanes(run);
    const scores = rows.flatMap(scored);
    if (rows.length < 2 && !scores.length) return null;
    const card = make("div", "card", make("ul", "lanes", ...rows.map((row) => laned(at, row))));
    if (scores.length) card.append(make("h3", "", "Candidates and scores"), make("ul", "scores", ...scores));
    return card;
  };
  const made = beside(part);
  return made && section("branches", "Branches", made);
}
