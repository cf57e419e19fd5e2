// Pages that the patch changes: without it, with it, and where the two differ.

const SIDES = ["before", "after", "difference"];

function picture(at, number, words) {
  const known = (runs[at].pictures || {})[number];
  if (!known) return make("p", "soft", "No picture.");
  const made = make("img", "picture");
  made.loading = "lazy";
  made.decoding = "async";
  [made.alt, made.width, made.height, made.src] = [words, known.width, known.height, known.url];
  return made;
}

// One of the three pictures; a click shows it in full width, and again beside the others.
function sideOf(at, page, name) {
  const made = make("figure", "", make("figcaption", "soft", name));
  if (typeof page[name] !== "number") {
    made.append(make("p", "soft", "No picture."));
    return made;
  }
  const enlarge = button("", "shot", () => enlarge.setAttribute("aria-pressed", made.classList.toggle("full")));
  enlarge.setAttribute("aria-pressed", "false");
  enlarge.append(picture(at, page[name], `${page.title || ""}, ${name}`));
  made.append(enlarge);
  return made;
}

function changesOf(title, name, texts) {
  if (!(texts || []).length) return null;
  const list = make("ul", "names", ...texts.map((one) => shown(String(one), (text) => make("li", "", text))));
  return make("div", "", make("h3", name, title), list);
}

function pageOf(at, page) {
  const isUnasked = (page.unasked || []).length > 0;
  const flagged = isUnasked ? make("b", "bad", "not asked for") : null;
  const heading = make("p", "kind", shown(page.title || "", (text) => make("b", "", text)), " ", flagged);
  return make("div", `card page ${isUnasked ? "unasked" : ""}`, heading,
    changesOf("Changes that the issue does not ask for", "bad", page.unasked),
    changesOf("Changes that the issue asks for", "", page.asked),
    make("div", "shots", ...SIDES.map((name) => sideOf(at, page, name))));
}

function pagesOf(run, at) {
  if (!(run.pages || []).length) return null;
  const note = run.pages_note ? make("p", "note", run.pages_note) : null;
  return make("div", "", note, ...run.pages.map((page) => pageOf(at, page)));
}

function pages() {
  const made = beside(pagesOf);
  return made && section("pages", "Changed pages", made);
}
