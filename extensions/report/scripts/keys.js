// Keyboard navigation, and the light or dark theme.

const KEYS = [
  ["j k", "next, previous step", { j: () => walk(1), k: () => walk(-1) }],
  ["Enter o", "unfold or fold the step", { Enter: () => toggle(), o: () => toggle() }],
  ["d D", "next, previous step with changes", { d: () => walk(1, "changes"), D: () => walk(-1, "changes") }],
  ["x X", "next, previous step with a failure", { x: () => walk(1, "failed"), X: () => walk(-1, "failed") }],
  ["g G", "first, last step", { g: () => end(0), G: () => end(-1) }],
  ["/", "search", { "/": () => field.select() || field.focus() }],
  ["n N", "next, previous hit", { n: () => hop(1), N: () => hop(-1) }],
  ["E", "unfold or fold every step", { E: () => every() }],
  ["u", "scroll to the top", { u: () => window.scrollTo(0, 0) }],
  ["t", "light or dark", { t: () => theme() }],
  ["?", "these keys", { "?": () => help.showModal() }],
];
const help = make("dialog");
let here = null;
let brought = null;

function walked() {
  finish();
  return [...document.querySelectorAll("article.step")].filter((one) => !one.hidden);
}

function stand(article, scroll = true) {
  if (here) here.removeAttribute("aria-current");
  here = article;
  here.setAttribute("aria-current", "step");
  if (!scroll) return;
  reveal(article);
  article.focus({ preventScroll: true });
  bring(article, "nearest");
}

// Elements get their real height only when they become visible, which moves the ones below; so scroll again.
function bring(element, block, frames = 4) {
  brought = element;
  element.scrollIntoView({ block });
  if (frames) requestAnimationFrame(() => brought === element && bring(element, block, frames - 1));
}

// Without a current step, navigation starts at the first one on the screen.
function walk(by, what) {
  const list = walked();
  let at = list.indexOf(here);
  if (at < 0) {
    at = list.findIndex((one) => one.getBoundingClientRect().bottom > 80);
    at = at < 0 ? list.length : at;
    if (by > 0) at -= 1;
  }
  for (at += by; at >= 0 && at < list.length; at += by) if (!what || Number(list[at].dataset[what])) return stand(list[at]);
}

function end(which) {
  const one = walked().at(which);
  if (one) stand(one);
}

function toggle() {
  if (!here) return;
  turnAll([here]);
  bring(here, "nearest");
}

function every() {
  turnAll(walked());
}

function turnAll(articles) {
  const boxes = articles.flatMap((one) => [...one.querySelectorAll("details")]);
  const isOpen = boxes.some((one) => one.open);
  for (const box of boxes) {
    if (isOpen) box.open = false;
    else unfold(box);
  }
}

function goTo(id) {
  if (!document.getElementById(id)) finish();
  const target = document.getElementById(id);
  if (!target) return;
  const step = target.closest("article.step");
  if (step) stand(step);
  bring(step || target, "start");
}

function arrive() {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {
    return;
  }
  if (id) goTo(id);
}

// Light, dark, or the system's theme

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch { /* A page opened from a file may have no storage. */ }
}

function remembered() {
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch { /* Use the system's theme. */ }
}

function listen() {
  const list = make("dl", "", ...KEYS.flatMap(([keys, words]) => [make("dt", "", ...keys.split(" ").map((key) => make("kbd", "", key))), make("dd", "", words)]));
  const close = button("close", "quiet", () => help.close());
  help.setAttribute("aria-label", "Keys");
  help.append(make("h2", "", "Keys"), list, close);
  const act = Object.assign({}, ...KEYS.map(([, , acts]) => acts));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help.open) return;
    if (event.target.matches("input, select, textarea")) return;
    if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
    if (!Object.hasOwn(act, event.key)) return;
    event.preventDefault();
    act[event.key]();
  });
  document.addEventListener("click", (event) => {
    const article = event.target.closest("article.step");
    if (article && article !== here) stand(article, false);
  });
  window.addEventListener("hashchange", arrive);
  window.addEventListener("beforeprint", finish);
}
