// Drives one page of Chromium with Playwright, in a workspace. Reads a request as a JSON line, writes its answer as one:
//   node page_driver.cjs PLAYWRIGHT_FOLDER CHROMIUM
//   {"id": 1, "do": "open", "url": "http://localhost:8000/"}  ->  {"id": 1, "ok": true, "url": ..., "snapshot": ...}
// Pages are untrusted: only the loopback is reached, and every answer is limited in size and time.
"use strict";
const readline = require("node:readline");
const { chromium } = require(`${process.argv[2]}/index.js`);  // without a file, Node would prefer a package.json beside it

const ACTION_MS = 5000, ANSWER_MS = 20000, OPEN_MS = 20000, CAPTURE_MS = 45000, QUIET_MS = 60, BUSY_MS = 2000;
const MOST_SNAPSHOT = 200000, MOST_TEXT = 500, MOST_EVENTS = 30, MOST_SIMILAR = 5, MOST_PAGES = 5, MOST_WIDTH = 4000, MOST_HEIGHT = 2000, MOST_ELEMENTS = 3000, MOST_OWN_TEXT = 2000;
const MOST_BYTES = 30000000;  // of an answer; below MAX_LINE_BYTES of line_process.py
const ACTIVATION_MS = 5000;   // how long after an input a page may open a window, as in Chromium
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|[\w-]+\.localhost)$/;
const STYLES = ["display", "visibility", "position", "color", "background-color", "font-size", "font-weight", "opacity",
  "overflow", "z-index", "margin", "padding", "border", "width", "height", "cursor", "outline", "text-align", "flex"];

let browser = null, context = null, page = null, look = { width: 1280, height: 800, dark: false };
let events = [], similar = new Map(), missed = 0, inputAt = 0;
const open = new Set();  // requests that were not answered yet

// Keeps at most MOST_SIMILAR events that differ only in numbers: a flood of events must not hide the others.
function report(kind, text) {
  const said = String(text).slice(0, MOST_TEXT), shape = `${kind}: ${said.replace(/\d+/g, "0")}`, count = similar.get(shape) ?? 0;
  if (events.some((event) => event[0] === kind && event[1] === said)) return;
  if (events.length >= MOST_EVENTS || count >= MOST_SIMILAR) { missed += 1; return; }
  similar.set(shape, count + 1);
  events.push([kind, said]);
}

// What happened since the last answer.
function takeEvents() {
  const taken = missed ? [...events, ["events", `${missed} more are not shown`]] : events;
  events = []; similar = new Map(); missed = 0;
  return taken;
}

function isAllowed(url) {
  try {
    const { protocol, hostname } = new URL(url);
    return ["data:", "blob:", "about:"].includes(protocol) ||
      (["http:", "https:", "ws:", "wss:"].includes(protocol) && LOOPBACK.test(hostname));
  } catch { return false; }
}

function reportFailure(request) {
  if (isAllowed(request.url())) report("failed request", `${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
  else report("blocked request", request.url());
}

function watch(opened) {
  opened.on("console", (said) => ["error", "warning"].includes(said.type()) && report(`console ${said.type()}`, said.text()));
  opened.on("pageerror", (error) => report("page error", error.message));
  opened.on("request", (request) => open.add(request));
  opened.on("requestfinished", (request) => open.delete(request));
  opened.on("requestfailed", (request) => { open.delete(request); reportFailure(request); });
  opened.on("response", (answer) => answer.status() >= 400 && report("failed request", `${answer.status()} ${answer.request().method()} ${answer.url()}`));
  opened.on("dialog", (dialog) => {
    const isLeaving = dialog.type() === "beforeunload";  // a page must not keep the session from leaving it
    report("dialog", `${dialog.type()} ${isLeaving ? "accepted" : "dismissed"}: ${dialog.message()}`);
    (isLeaving ? dialog.accept() : dialog.dismiss()).catch(() => {});
  });
  opened.on("websocket", (socket) => isAllowed(socket.url()) || report("blocked request", socket.url()));
  opened.on("download", (download) => {
    report("download", `refused: ${download.suggestedFilename()}`);
    download.cancel().catch(() => {});
  });
  opened.on("crash", () => report("page error", "the page crashed"));
  opened.on("close", () => { if (page === opened) page = context?.pages().at(-1) ?? null; });
}

async function start() {
  browser ??= await chromium.launch({
    executablePath: process.argv[3], chromiumSandbox: false, timeout: ANSWER_MS,
    args: ["--disable-dev-shm-usage", "--disable-gpu", "--force-color-profile=srgb", "--font-render-hinting=none",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
      "--disable-features=WebRtcHideLocalIpsWithMdns,Translate,OptimizationHints", "--no-pings",
      "--force-webrtc-ip-handling-policy=disable_non_proxied_udp"],
  });
}

async function renew() {
  await start();
  const old = context;
  page = context = null;
  open.clear();
  if (old) await old.close().catch(() => {});
  const made = context = await browser.newContext({
    viewport: { width: look.width, height: look.height }, deviceScaleFactor: 1, locale: "en-US", timezoneId: "UTC",
    colorScheme: look.dark ? "dark" : "light", serviceWorkers: "block", acceptDownloads: false, permissions: [],
    reducedMotion: look.still ? "reduce" : "no-preference",
  });
  context.setDefaultTimeout(ACTION_MS);
  if (look.still) await context.addInitScript(`{ let state = 1; Math.random = () => (state = state * 16807 % 2147483647) / 2147483647; }`);
  await context.route("**/*", (route) => {
    if (isAllowed(route.request().url())) return route.continue();
    report("blocked request", route.request().url());
    return route.abort("blockedbyclient");
  });
  made.on("page", (opened) => {
    watch(opened);
    const isAsked = Date.now() - inputAt < ACTIVATION_MS, isFirst = !page && made === context;
    if (!isFirst && (!isAsked || made !== context || made.pages().length > MOST_PAGES)) {
      report("window", "a window was closed: no action opened it, or too many are open");
      opened.close().catch(() => {});
      return;
    }
    if (!isFirst) { report("window", "a new window opened; it is the current page now"); inputAt = 0; }
    page = opened;
  });
  if (look.still) await context.clock.setFixedTime(new Date("2024-01-15T12:00:00Z"));
  page = await context.newPage();
}

function current() {
  if (!page) throw new Error("the page has closed itself");
  return page;
}

// A reference of the snapshot (e12), or a selector of Playwright's (text=Save, role=button[name="Save"], #id).
function target(name) {
  return current().locator(/^(f\d+)?e\d+$/.test(name) ? `aria-ref=${name}` : name).first();
}

// Waits until the page is loaded and no request was open for QUIET_MS, at most BUSY_MS: some pages never stop.
async function settle() {
  await current().waitForLoadState("load", { timeout: ACTION_MS }).catch(() => {});
  const end = Date.now() + BUSY_MS;
  let quiet = Date.now();
  while (Date.now() < end && Date.now() - quiet < QUIET_MS) {
    await new Promise((done) => setTimeout(done, 10));
    if (open.size) quiet = Date.now();
  }
}

async function describe(options, name) {
  const wanted = { mode: "ai", timeout: ACTION_MS, ...options }, shown = current();
  const snapshot = await (name ? target(name).ariaSnapshot(wanted) : shown.ariaSnapshot(wanted));
  return { width: look.width, dark: look.dark, url: shown.url().slice(0, 2000), title: (await shown.title()).slice(0, MOST_TEXT),
    snapshot: snapshot.slice(0, MOST_SNAPSHOT), cut: Math.max(0, snapshot.length - MOST_SNAPSHOT) };
}

const actions = {
  async open({ url, width, dark }) {
    if (!isAllowed(url)) throw new Error("only pages on localhost can be opened");
    const wanted = { width: width ?? 1280, height: 800, dark: !!dark, still: false };
    if (!page || JSON.stringify(wanted) !== JSON.stringify(look)) { look = wanted; await renew(); }
    else for (const other of context.pages()) if (other !== page) other.close().catch(() => {});
    open.clear();
    // A page that never stops navigating would take the place of the next one: it goes first.
    await page.goto("about:blank", { timeout: 2000 }).catch(() => {});
    if (!page || page.url() !== "about:blank") await renew();
    await page.goto(url, { timeout: OPEN_MS, waitUntil: "domcontentloaded" });
    await settle();
    return describe();
  },
  async click({ target: name }) { await target(name).click(); await settle(); return describe(); },
  async hover({ target: name }) { await target(name).hover(); return describe(); },
  async type({ target: name, text }) { await target(name).fill(text); await settle(); return describe(); },
  async select({ target: name, text }) { await target(name).selectOption(text); await settle(); return describe(); },
  async press({ target: name, text }) {
    if (name) await target(name).press(text); else await page.keyboard.press(text);
    await settle();
    return describe();
  },
  async wait({ text }) {
    if (text) await page.getByText(text).first().waitFor({ state: "visible" });
    else await page.waitForTimeout(1000);
    return describe();
  },
  async boxes({ target: name }) { return describe({ boxes: true }, name); },
  // A picture of the window, the page from its top, or one element, as PNG.
  async look({ target: name, whole }) {
    const options = { type: "png", animations: "disabled", caret: "hide", scale: "css" };
    const [wide, height] = (await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight])).map((edge) => Number(edge) || 0);
    const box = name ? await target(name).boundingBox() : { x: 0, y: 0, width: look.width, height: whole ? height : look.height };
    if (!box) throw new Error("the element is not visible");
    if (!whole && !(name && (box.height > MOST_HEIGHT || box.width > MOST_WIDTH))) return { picture: (await (name ? target(name) : page).screenshot(options)).toString("base64"), width: wide, height };
    const clip = { ...box, width: Math.max(1, Math.min(box.width, look.width)), height: Math.max(1, Math.min(box.height, MOST_HEIGHT)) };
    return { picture: (await page.screenshot({ ...options, fullPage: true, clip })).toString("base64"), width: wide, height };
  },
  // The boxes and computed styles of the elements that match, at most 20.
  async layout({ target: name }) {
    const all = /^(f\d+)?e\d+$/.test(name) ? page.locator(`aria-ref=${name}`) : page.locator(name);
    const found = [];
    for (const one of (await all.all()).slice(0, 20)) {
      const box = await one.boundingBox();
      const about = await one.evaluate((element, names) => {
        const style = getComputedStyle(element);
        return [element.outerHTML.slice(0, 200), Object.fromEntries(names.map((each) => [each, style.getPropertyValue(each).slice(0, 100)]))];
      }, STYLES);
      found.push({ box, html: about[0], style: about[1] });
    }
    return { found };
  },
};

// What a page shows: its visible elements in document order, each with its parent's index, what it is, its own text, its
// box, the index of its computed style and whether a person can reach it, and the links to other pages of the same server.
function readPage([properties, mostElements, mostText]) {
  // A field of a form hides a property of its name, such as `children`.
  const childNodes = Object.getOwnPropertyDescriptor(Node.prototype, "childNodes").get;
  const painted = (element, name) => { const text = getComputedStyle(element, name).content; return ["none", "normal"].includes(text) ? "" : text; };
  const elements = [], styles = [], known = new Map(), indexes = new Map(), candidates = [];
  const walk = (element, parent, opacityAround = 1) => {
    if (elements.length >= mostElements || element.nodeType !== 1) return;
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (style.display === "none") return;
    const opacity = opacityAround * Number(style.opacity);
    const own = [...childNodes.call(element)].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(" ").trim();
    const values = JSON.stringify(properties.map((name) => style.getPropertyValue(name)));
    if (!known.has(values)) { known.set(values, styles.length); styles.push(JSON.parse(values)); }
    const attribute = (name) => (element.getAttribute(name) ?? "").slice(0, mostText);
    const content = painted(element, "::before") + painted(element, "::after");
    const value = "value" in element && typeof element.value === "string" ? element.value : "";
    const states = ["disabled", "checked", "open", "selected", "required", "readOnly"].filter((name) => element[name] === true);
    indexes.set(element, elements.length);
    elements.push([parent, element.localName, attribute("id"), attribute("class"), own.slice(0, mostText),
      [attribute("role"), attribute("aria-label"), attribute("alt"), attribute("title"), attribute("placeholder"), attribute("href"), value.slice(0, mostText),
        ["aria-hidden", "aria-expanded", "aria-checked", "aria-selected", "aria-current", "aria-disabled", "aria-invalid", "tabindex"].map((name) => `${name}=${attribute(name)}`).join(" "), states.join(" "), content.slice(0, mostText)],
      [box.x + scrollX, box.y + scrollY, box.width, box.height].map((edge) => Math.round(edge * 10) / 10), known.get(values), false]);
    const here = indexes.get(element);
    if (canBeReached(element, style, box, opacity, own !== "")) candidates.push(element);
    for (const child of childNodes.call(element.shadowRoot ?? element)) walk(child, here, opacity);
  };
  // An element is painted if some of it is inside what clips it, and the page can be scrolled there.
  const isControl = (element) => element.matches("a[href], button, input, select, textarea, summary, [role=button], [role=link], [role=tab], [role=menuitem]");
  const root = getComputedStyle(document.documentElement), ofBody = document.body ? getComputedStyle(document.body) : root;
  const extent = (axis, window, page) => [root[axis], root[axis] === "visible" ? ofBody[axis] : ""].some((one) => one === "hidden" || one === "clip") ? window : Math.max(window, page);
  const area = { width: extent("overflowX", innerWidth, document.documentElement.scrollWidth), height: extent("overflowY", innerHeight, document.documentElement.scrollHeight) };
  const visiblePart = (element, style, box) => {
    let part = { left: box.left, top: box.top, right: box.right, bottom: box.bottom }, position = style.position, inScroller = false;
    const clip = (x, y, right, bottom) => { part = { left: Math.max(part.left, x), top: Math.max(part.top, y), right: Math.min(part.right, right), bottom: Math.min(part.bottom, bottom) }; };
    for (let at = element.parentElement; at && at !== document.body && at !== document.documentElement && position !== "fixed"; at = at.parentElement) {
      const of = getComputedStyle(at), holds = position !== "absolute" || of.position !== "static";
      if (holds && (of.overflowX !== "visible" || of.overflowY !== "visible")) {
        const edges = at.getBoundingClientRect();
        if ([of.overflowX, of.overflowY].some((one) => /auto|scroll/.test(one))) { part = { left: edges.left, top: edges.top, right: edges.right, bottom: edges.bottom }; inScroller = true; }
        else clip(edges.left, edges.top, edges.right, edges.bottom);
      }
      if (holds) position = of.position;
    }
    if (position === "fixed") clip(0, 0, innerWidth, innerHeight);
    else clip(-scrollX, -scrollY, area.width - scrollX, area.height - scrollY);
    return { ...part, inScroller };
  };
  const canBeReached = (element, style, box, opacity, hasText) => {
    const control = isControl(element);
    if (!control && !hasText && !element.matches("img, svg, canvas, video")) return false;
    if (style.visibility !== "visible" || opacity < 0.15 || box.width < 2 || box.height < 2) return false;
    if (hasText && (parseFloat(style.fontSize) < 5 || /^rgba\(.*, 0(\.0\d*)?\)$/.test(style.color))) return false;
    const isRoving = element.matches("[role=tab], [role=menuitem], [role=radio], [role=option]");
    if (control && (style.pointerEvents === "none" || (element.tabIndex < 0 && !isRoving))) return false;
    const part = visiblePart(element, style, box);
    return part.right - part.left >= Math.min(box.width / 2, innerWidth / 2) && part.bottom - part.top >= Math.min(box.height / 2, innerHeight / 2);
  };
  // Nothing lies in front of it: a pointer at one of five points finds it, what it contains, or what contains it. What lies
  // in front of a text may let it through.
  const isInFront = (element) => {
    const first = element.getBoundingClientRect(), scrolled = [];
    const { inScroller } = visiblePart(element, getComputedStyle(element), first);
    if (inScroller) for (let at = element.parentElement; at; at = at.parentElement) scrolled.push([at, at.scrollLeft, at.scrollTop]);
    if (inScroller || first.top < 0 || first.bottom > innerHeight) element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const box = element.getBoundingClientRect(), control = isControl(element);
    const points = [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]].map(([x, y]) => [box.left + x * box.width, box.top + y * box.height]);
    const found = points.some(([x, y]) => {
      const hit = element.getRootNode().elementFromPoint?.(x, y);
      if (!hit) return false;
      if (element.contains(hit) || hit.control === element || (!control && hit.contains(element))) return true;
      return !control && !isOpaque(hit);
    });
    for (const [at, left, top] of scrolled) at.scrollTo({ left, top, behavior: "instant" });
    return found;
  };
  const isOpaque = (element) => {
    const style = getComputedStyle(element), [, alpha = "1"] = /rgba\(.*, ([\d.]+)\)$/.exec(style.backgroundColor) ?? [];
    return Number(style.opacity) > 0.5 && (Number(alpha) > 0.5 || style.backgroundImage !== "none" || element.matches("img, video, canvas, iframe"));
  };
  walk(document.body ?? document.documentElement, -1);
  const [x, y] = [scrollX, scrollY];
  for (const element of candidates) elements[indexes.get(element)][8] = isInFront(element);
  scrollTo({ left: x, top: y, behavior: "instant" });
  // A fragment is kept if it is a route of the page's scripts and not the name of an element.
  const toPath = (href) => {
    const url = new URL(href), here = url.pathname === location.pathname;
    const isRoute = here ? !document.getElementById(url.hash.slice(1)) : /^#[/!]/.test(url.hash);
    return url.pathname + url.search + (isRoute ? url.hash : "");
  };
  const links = [...document.querySelectorAll("a[href]")].map((link) => link.href).filter((href) => href.startsWith(location.origin + "/")).slice(0, 100).map(toPath);
  return { elements, styles, links, width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight };
}

// The second picture, pale and grey, with what differs from the first one in red.
const DIFFERS = `<svg width="0" height="0"><filter id="differs" color-interpolation-filters="sRGB"><feColorMatrix values="0 0 0 0 .85 0 0 0 0 .05 0 0 0 0 .15 8 8 8 0 0"/></filter></svg>`;
async function difference(before, after, width, height) {
  const other = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: 1, offline: true, javaScriptEnabled: false });
  try {
    const canvas = await other.newPage();
    const style = "position:absolute;left:0;top:0";
    const picture = (more, data) => `<img style="${style};${more}" src="data:image/png;base64,${data}">`;
    const differing = `<div style="${style};width:${width}px;height:${height}px;isolation:isolate;filter:url(#differs)">${picture("", before)}${picture("mix-blend-mode:difference", after)}</div>`;
    await canvas.setContent(`<body style="margin:0;background:white">${DIFFERS}${picture("filter:grayscale(1);opacity:.4", after)}${differing}`, { waitUntil: "load", timeout: ACTION_MS });
    return (await canvas.screenshot({ type: "png" })).toString("base64");
  } finally { await other.close().catch(() => {}); }
}

Object.assign(actions, {
  // Opens a page with a fixed clock, fixed random numbers and no animation; returns what it shows in each variant, with a
  // picture if asked.
  async capture({ url, variants, height, properties, pictures }) {
    if (!isAllowed(url)) throw new Error("only pages on localhost can be opened");
    look = { width: variants[0].width, height, dark: variants[0].dark, still: true };
    await renew();
    let status = 0;
    const opened = page;
    const note = (answer) => { if (answer.request().isNavigationRequest() && answer.frame() === opened.mainFrame()) status = answer.status(); };
    page.on("response", note);
    try {
      await page.goto(url, { timeout: OPEN_MS, waitUntil: "domcontentloaded" });
      await settle();
      const views = [];
      for (const { width, dark } of variants) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
        if (views.length && dark) {  // a script may read the colours when the page is loaded
          await page.reload({ timeout: OPEN_MS, waitUntil: "domcontentloaded" });
          await settle();
        }
        if (views.length) await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        const shown = await page.evaluate(readPage, [properties, MOST_ELEMENTS, MOST_OWN_TEXT]);
        views.push(shown);
        if (!pictures) continue;
        const clip = { x: 0, y: 0, width, height: Math.max(1, Math.min(Number(shown.height) || 1, MOST_HEIGHT)) };
        const options = { type: "png", animations: "disabled", caret: "hide", scale: "css", fullPage: true, clip };
        shown.picture = (await page.screenshot(options)).toString("base64");
      }
      return { status, views };
    } finally {
      opened.off("response", note);
    }
  },
  async difference({ before, after, width, height }) {
    return { picture: await difference(before, after, Math.min(width, 4000), Math.min(height, MOST_HEIGHT)) };
  },
});
const LIMITS = { open: OPEN_MS + ANSWER_MS / 2, capture: CAPTURE_MS };  // a development server compiles what is opened first
const NO_PAGE_NEEDED = ["open", "capture", "difference"], INPUTS = ["click", "type", "select", "press"];

// Playwright's message, and of its log what it says about the element: that there is none, or what is in front of it.
function reasonOf(error) {
  const [said, log = ""] = String(error.message).replace(/\u001b\[\d+m/g, "").split("\nCall log:");
  const about = log.split("\n").map((each) => each.replace(/^[\s-]*(\d+ × )?/, "")).filter((each) => /resolved to|intercepts pointer|element is (not|outside)/.test(each));
  if (/Timeout.*exceeded/.test(said) && /waiting for/.test(log) && !about.length) about.push("nothing on the page matches");
  return [said, ...new Set(about)].map((each) => each.slice(0, MOST_TEXT)).slice(0, 4).join("\n").slice(0, 4 * MOST_TEXT);
}

async function answer(line) {
  let request, timer;
  try { request = JSON.parse(line); } catch { return { id: 0, ok: false, error: "the request is not JSON" }; }
  if (NO_PAGE_NEEDED.includes(request.do)) takeEvents();  // those of another page
  if (INPUTS.includes(request.do)) inputAt = Date.now();
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("the page does not respond")), LIMITS[request.do] ?? ANSWER_MS); });
  try {
    const act = actions[request.do];
    if (!act) throw new Error(`there is no action ${request.do}`);
    if (!page && !NO_PAGE_NEEDED.includes(request.do)) throw new Error("no page is open");
    return { id: request.id, ok: true, ...(await Promise.race([act(request), late])), events: takeEvents() };
  } catch (error) {
    const text = reasonOf(error);
    if (/does not respond|crashed|closed|Timeout.*exceeded/.test(text) && !(await responds())) await drop();
    return { id: request.id, ok: false, error: text, events: takeEvents(), open: !!page };
  } finally { clearTimeout(timer); }
}

// A page decides what its scripts return: it may be too large, or no JSON.
function encode(answered) {
  let line = "";
  try { line = JSON.stringify(answered); } catch { /* it has a BigInt, or is longer than a string can be */ }
  if (line && Buffer.byteLength(line) <= MOST_BYTES) return line;
  return JSON.stringify({ id: answered.id, ok: false, error: "the page's answer is too large or malformed", events: answered.events, open: !!page });
}

async function responds() {
  const soon = new Promise((done) => setTimeout(() => done(false), 3000));
  return !!page && Promise.race([page.evaluate("true").catch(() => false), soon]);
}

// Ends the browser: a page that does not respond cannot be closed.
async function drop() {
  const old = browser;
  browser = context = page = null;
  await Promise.race([old?.close().catch(() => {}), new Promise((done) => setTimeout(done, 2000))]);
}

(async () => {
  await start().catch((error) => { process.stdout.write(JSON.stringify({ id: -1, ok: false, error: error.message.slice(0, 2000) }) + "\n"); process.exit(1); });
  process.stdout.write(JSON.stringify({ id: -1, ok: true }) + "\n");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(encode(await answer(line)) + "\n");
  }
  await drop();
  process.exit(0);
})();
