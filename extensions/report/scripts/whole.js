// Assembly of the page.

function contents(sections) {
  const made = make("nav", "", ...sections.map((one) => {
    const to = make("a", "", one.querySelector("h2").textContent);
    to.href = `#${one.id}`;
    return to;
  }));
  made.setAttribute("aria-label", "Contents");
  return made;
}

function settings() {
  const rows = (run) => [["settings", run.settings], ["versions", run.versions]].map(([name, known]) => [name, simple(known).join(" · ")]).filter(([, words]) => words);
  const lists = runs.flatMap((run, at) => rows(run).map(([name, words]) => make("p", "", runs.length > 1 ? flag(at) : null, `${name}: ${words}`)));
  return lists.length ? make("details", "", make("summary", "", "Settings and versions"), ...lists) : null;
}

function foot() {
  const cut = runs.flatMap((run, at) => (run.cut || []).map((words) => make("li", "", runs.length > 1 ? flag(at) : null, words)));
  const left = cut.length ? [make("p", "", "Left out here:"), make("ul", "", ...cut)] : [];
  const by = [pageData.by && `Written by ${pageData.by}`, minute(pageData.made)].filter(Boolean).join(", ");
  return make("footer", "soft", settings(), ...left, make("p", "", by));
}

function whole() {
  remembered();
  const top = [head(), overview()];
  const sections = [parting(), issue(), plan(), proof(), pages(), patch(), branches(), costs(), runs.length > 1 ? together() : steps()].filter(Boolean);
  const tools = make("div", "tools", searching(), button("\u25d0", "quiet", theme), button("?", "quiet", () => help.showModal()));
  tools.querySelector("button.quiet:nth-last-child(2)").setAttribute("aria-label", "light or dark");
  tools.lastElementChild.setAttribute("aria-label", "keys");
  const bar = make("div", "bar", contents(sections), tools);
  bar.setAttribute("role", "banner");
  const main = make("main", runs.length > 1 ? "two" : "", ...top, ...sections, foot());
  listen();
  document.body.append(bar, main, help);
  arrive();
}

whole();
