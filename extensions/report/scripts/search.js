// Search in all texts, including folded ones, which are unfolded to show a hit.

const MOST_HITS = 5000;
const hits = { words: "", found: [], at: -1 };
const field = make("input");
const tellHits = make("output", "soft");

function look(words) {
  Object.assign(hits, { words, found: [], at: -1 });
  clearHits();
  if (words) {
    finish();
    const wanted = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
    for (const one of leaves) {
      for (const found of one.text.matchAll(wanted)) {
        hits.found.push({ leaf: one, from: found.index, to: found.index + found[0].length });
        if (hits.found.length >= MOST_HITS) break;
      }
      if (hits.found.length >= MOST_HITS) break;
    }
  }
  tell();
}

function tell() {
  const { words, found, at } = hits;
  const all = found.length >= MOST_HITS ? `${MOST_HITS}+` : String(found.length);
  tellHits.textContent = !words ? "" : found.length ? (at < 0 ? all : `${at + 1} of ${all}`) : "no matches";
}

function clearHits() {
  if (window.CSS && CSS.highlights) CSS.highlights.clear();
}

// Returns the range of these characters of an element's text.
function range(element, from, to) {
  const made = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let passed = 0, begun = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const end = passed + node.length;
    if (!begun && from < end) {
      made.setStart(node, from - passed);
      begun = true;
    }
    if (begun && to <= end) {
      made.setEnd(node, to - passed);
      return made;
    }
    passed = end;
  }
  made.selectNodeContents(element);
  return made;
}

function light(found) {
  if (window.CSS && CSS.highlights && window.Highlight) CSS.highlights.set("hit", new Highlight(found));
  else {
    getSelection().removeAllRanges();
    getSelection().addRange(found);
  }
}

function reveal(element) {
  for (let node = element; node; node = node.parentElement) {
    if (node.tagName === "DETAILS" && node !== element) unfold(node);
    if (node.hidden) all();
  }
}

function hop(by) {
  if (!hits.found.length) return;
  hits.at = (hits.at + by + hits.found.length) % hits.found.length;
  const { leaf: one, from, to } = hits.found[hits.at];
  const element = one.open();
  reveal(element);
  const found = range(element, from, to);
  light(found);
  const article = element.closest("article");
  if (article) stand(article, false);
  element.scrollIntoView({ block: "nearest" });
  const inner = element.closest("pre");
  if (inner) inner.scrollTop += found.getBoundingClientRect().top - inner.getBoundingClientRect().top - inner.clientHeight / 2;
  window.scrollBy(0, found.getBoundingClientRect().top - window.innerHeight / 2);
  tell();
}

let waiting = 0;

function searching() {
  field.type = "search";
  field.placeholder = "Search  /";
  field.setAttribute("aria-label", "Search all texts");
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => look(field.value), 120);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") field.blur();
    if (event.key !== "Enter") return;
    event.preventDefault();
    clearTimeout(waiting);
    if (field.value !== hits.words) look(field.value);
    hop(event.shiftKey ? -1 : 1);
  });
  tellHits.setAttribute("aria-live", "polite");
  const named = (words, name, act) => {
    const made = button(words, "quiet", act);
    made.setAttribute("aria-label", name);
    return made;
  };
  const search = make("div", "search", field, tellHits, named("\u2191", "previous hit", () => hop(-1)), named("\u2193", "next hit", () => hop(1)));
  search.setAttribute("role", "search");
  return search;
}
