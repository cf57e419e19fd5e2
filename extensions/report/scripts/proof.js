// The proof, with the commands that repeat it, and the patch.

const LISTS = [
  ["tests", "Tests that reproduce the issue"],
  ["lost", "Passed before and do not now"],
  ["contradicted", "Expected to fail now, by the issue"],
  ["flaky", "Excluded: flaky"],
  ["checks", "Checks"],
];

function listed(title, rows) {
  const list = make("ul", "names", ...rows.map((row) => shown(String(row), (text) => make("li", "", text))));
  return make("div", "", make("h3", "", title), list);
}

function copied(text) {
  const code = shown(text, (words) => make("code", "command", words));
  const copy = button("copy", "quiet", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      copy.textContent = "selected";
    }
    setTimeout(() => (copy.textContent = "copy"), 1500);
  });
  copy.setAttribute("aria-label", `copy ${text}`);
  return make("li", "", code, copy);
}

function proofOf(run) {
  const verdict = run.verdict;
  if (!verdict) return null;
  const card = make("div", "card proof", make("p", "kind", make("b", `outcome ${toneOf(verdict)}`, verdict.kind), ...granularity(verdict)));
  const rows = (verdict.rows || []).map((row) =>
    make("li", "", mark(row.value), make("b", "", row.name.replace(/_/g, " ")), shown(row.words || "", (text) => make("span", "", text))),
  );
  if (rows.length) card.append(make("ul", "holds", ...rows));
  for (const note of verdict.notes || []) card.append(shown(note, (text) => make("p", "note", text)));
  for (const [name, title] of LISTS) if ((verdict[name] || []).length) card.append(listed(title, verdict[name]));
  const failures = (verdict.failures || []).join("\n\n");
  if (failures) card.append(pocket("", ["What failed with the patch"], failures, output));
  const commands = verdict.commands || [];
  if (commands.length) card.append(make("h3", "", "Commands that repeat it"), verdict.repeat ? shown(verdict.repeat, (text) => make("p", "soft", text)) : "", make("ol", "commands", ...commands.map(copied)));
  return card;
}

function granularity(verdict) {
  return verdict.granularity && verdict.granularity !== "test" ? [make("span", "soft", `judged by ${verdict.granularity}`)] : [];
}

function proof() {
  const made = beside(proofOf);
  return made && section("proof", "Proof", made);
}

const SHORT_PATCH = 200;

// Saves the original patch, not the displayed one: with signs for invisible characters it would not apply.
function save(at) {
  const { patch: files } = JSON.parse(document.getElementById("page-data").textContent).runs[at];
  const link = make("a");
  link.download = "patch.diff";
  link.href = URL.createObjectURL(new Blob([files.map((one) => one.diff).join("")], { type: "text/x-diff" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function saving(at, files) {
  const cut = files.filter((one) => one.cut);
  if (!cut.length) return button("save as patch.diff", "", () => save(at));
  const names = cut.slice(0, 3).map((one) => `${one.path} (${one.cut})`).join(", ");
  const more = cut.length > 3 ? ` and ${count(cut.length - 3, "more file")}` : "";
  return make("p", "soft", `The patch cannot be saved, since it is incomplete here: ${names}${more}.`);
}

function patch() {
  const part = (run, at) => {
    const files = run.patch || [];
    if (!files.length) return null;
    const lines = files.reduce((all, one) => all + (one.added || 0) + (one.removed || 0), 0);
    const made = make("div", "files", ...files.map((one) => file(one, lines <= SHORT_PATCH)));
    made.append(saving(at, files));
    return made;
  };
  const made = beside(part);
  return made && section("patch", "Patch", made);
}
