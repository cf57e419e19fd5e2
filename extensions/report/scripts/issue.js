// The top of the page: title, outcome, figures, issue and plan.

const COLOURED = { verified: "good", faster: "good", replayed: "good", error: "bad", infrastructure: "bad", answered: "plain", done: "plain", undone: "plain" };
const colour = (kind) => (Object.hasOwn(COLOURED, kind) ? COLOURED[kind] : "fair");
const TONES = { good: "good", warning: "fair", bad: "bad", neutral: "plain" };
const toneOf = (ended) => (Object.hasOwn(TONES, ended.tone) ? TONES[ended.tone] : colour(ended.kind));

function outcome(run) {
  const kind = (run.ended && run.ended.kind) || "";
  return kind ? make("b", `outcome ${toneOf(run.ended)}`, kind.replace(/_/g, " ")) : make("b", "outcome soft", "not ended");
}

function based(base) {
  if (!base || typeof base === "string") return base || "";
  return `${String(base.commit || "").slice(0, 10)}${base.changes ? ` + ${count(base.changes, "change")}` : ""}`;
}

function facts(run) {
  const where = [run.repository, based(run.base)].filter(Boolean).join(" at ");
  return [run.name, where, run.strategy, run.model, minute(run.at)].filter(Boolean).join(" · ");
}

function tile(name, value, more) {
  return make("div", "tile", make("dt", "", name), make("dd", "", value, more ? make("small", "", more) : null));
}

function tiles(run) {
  const spent = run.spent || {};
  const steps = (run.items || []).filter((item) => item.kind === "step").length;
  const branches = (run.branches || []).length;
  const list = make("dl", "tiles", tile("outcome", outcome(run), run.ended && run.ended.seconds ? clock(run.ended.seconds) : ""));
  if (run.spent) {
    const cached = spent.input && spent.cached ? `${Math.round((100 * (spent.cached || 0)) / spent.input)}% from the cache` : "";
    list.append(tile("cost", typeof spent.dollars === "number" ? money(spent.dollars) : "no price", spent.calls ? count(spent.calls, "call") : ""));
    list.append(tile("tokens", `${short(spent.input || 0)} in, ${short(spent.output || 0)} out`, cached));
  }
  list.append(tile("steps", steps.toLocaleString("en"), branches > 1 ? count(branches, "branch", "branches") : ""));
  const files = run.patch || [];
  const sum = (name) => files.reduce((all, one) => all + (one[name] || 0), 0);
  if (files.length) list.append(tile("patch", count(files.length, "file"), sums(sum("added"), sum("removed"))));
  return list;
}

const last = (ended) => [ended.words || ended.message, ended.fix].filter(Boolean).join(" ");

function said(run) {
  const words = last(run.ended || {});
  return words ? make("p", "ended", shown(words, (text) => make("span", "", text))) : null;
}

const TRUSTS = { user: "the user", member: "a member", stranger: "a stranger" };

function head() {
  const titles = [...new Set(runs.map((run) => run.title || (run.issue && run.issue.title) || run.name || ""))];
  const made = make("header", "", shown(titles.join(" / ") || "A run", (text) => make("h1", "", text)));
  for (const [at, run] of runs.entries()) made.append(make("p", "", runs.length > 1 ? flag(at) : null, facts(run)));
  return made;
}

function overview() {
  const made = make("section", "overview", beside((run) => make("div", "", tiles(run), said(run))));
  made.setAttribute("aria-label", "Outcome");
  return made;
}

function issueOf(run) {
  const issue = run.issue || {};
  const by = [issue.author, TRUSTS[issue.trust] || ""].filter(Boolean).join(", ");
  const card = make("div", "card issue", runs.length > 1 ? make("h3", "", issue.title || run.title || "") : null);
  card.append(make("p", "soft", [by && `by ${by}`, issue.url].filter(Boolean).join(" · ")));
  if ((issue.labels || []).length) card.append(make("p", "", ...issue.labels.map((label) => make("span", "chip", label))));
  const text = issue.body || (runs.length > 1 ? "" : issue.title || run.title); // of two runs, the heading shows the title
  if (text) card.append(long(text));
  (issue.pictures || []).forEach((url, index) => {
    const made = make("img", "picture");
    [made.alt, made.loading, made.src] = [`picture ${index + 1} of the issue`, "lazy", url];
    card.append(made);
  });
  for (const comment of issue.comments || []) {
    const heading = [
      make("b", "", comment.author || "unknown"),
      make("span", "soft", [TRUSTS[comment.trust], comment.role, comment.about, minute(comment.at)].filter(Boolean).join(" · ")),
    ];
    card.append(pocket("comment", heading, comment.body || "", prose));
  }
  return card;
}

function issue() {
  const same = runs.length < 2 || JSON.stringify(runs[0].issue) === JSON.stringify(runs[1].issue);
  return section("issue", "Issue", same ? issueOf(runs[0]) : beside(issueOf));
}

function plan() {
  const part = (run, at) => {
    const phases = run.plan || [];
    if (!phases.length) return null;
    const number = (id) => Number(String(id).split("#").pop()) || 0;
    const rows = phases.map((one) => {
      const from = link(at, one.from), to = one.to && one.to !== one.from ? link(at, one.to) : null;
      const row = make("li", "", make("b", "", one.phase), make("span", "soft", from, to ? " to " : "", to));
      row.style.flexGrow = Math.sqrt(Math.max(1, number(one.to) - number(one.from) + 1));
      return row;
    });
    return make("ol", "plan", ...rows);
  };
  const made = beside(part);
  return made && section("plan", "Plan", made);
}
