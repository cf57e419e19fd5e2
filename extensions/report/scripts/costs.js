// The costs of the steps: charts of the cumulative dollars and tokens.

const WIDE = Math.max(300, Math.min(window.innerWidth - 70, runs.length > 1 ? 1800 : 1130) / Math.max(1, runs.length) - 10);
const HIGH = 150, LEFT = 62, BELOW = 22, ABOVE = 8;
const KINDS = [["cached", "input from the cache"], ["input", "other input"], ["output", "output"]];

function ticks(most) {
  const rough = most / 4, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * unit).find((size) => size >= rough) || unit;
  const made = [];
  for (let value = 0; value <= most * 1.0001; value += step) made.push(value);
  return made;
}

const x = (index, steps) => LEFT + ((WIDE - LEFT - 10) * index) / Math.max(1, steps - 1);
const y = (value, most) => HIGH - BELOW - ((HIGH - BELOW - ABOVE) * value) / most;

function frame(most, steps, words, name) {
  const picture = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "plot", role: "img", "aria-label": name });
  for (const value of ticks(most)) {
    picture.append(drawn("line", { x1: LEFT, x2: WIDE - 10, y1: y(value, most), y2: y(value, most), class: "grid" }));
    picture.append(drawn("text", { x: LEFT - 8, y: y(value, most) + 4, "text-anchor": "end" }, words(value)));
  }
  const numbers = [...new Set([0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * (steps - 1))))];
  for (const index of numbers)
    picture.append(drawn("text", { x: x(index, steps), y: HIGH - 4, "text-anchor": "middle" }, String(index + 1)));
  return picture;
}

const highest = (values) => values.reduce((most, value) => Math.max(most, value || 0), 0);
const path = (values, most, steps) => values.map((value, index) => `${index ? "L" : "M"}${x(index, steps).toFixed(1)} ${y(value, most).toFixed(1)}`).join("");

function area(below, above, most, steps, name) {
  const back = below.map((value, index) => `L${x(index, steps).toFixed(1)} ${y(value, most).toFixed(1)}`).reverse().join("");
  return drawn("path", { d: `${path(above, most, steps)}${back}Z`, class: `area ${name}` });
}

// Shows the figures of the step under the pointer; a click jumps to that step.
function asked(picture, at, costs, steps, words) {
  const line = drawn("line", { y1: ABOVE, y2: HIGH - BELOW, class: "asked", visibility: "hidden" });
  const text = drawn("text", { y: ABOVE + 10, class: "label-text" });
  picture.append(line, text);
  const index = (event) => {
    const box = picture.getBoundingClientRect();
    const part = (((event.clientX - box.left) / box.width) * WIDE - LEFT) / (WIDE - LEFT - 10);
    return Math.min(costs.length - 1, Math.max(0, Math.round(part * (steps - 1))));
  };
  picture.addEventListener("pointermove", (event) => {
    const number = index(event), where = x(number, steps), right = where > WIDE / 2;
    line.setAttribute("visibility", "visible");
    line.setAttribute("x1", where);
    line.setAttribute("x2", where);
    text.setAttribute("x", where + (right ? -6 : 6));
    text.setAttribute("text-anchor", right ? "end" : "start");
    text.textContent = `${costs[number].step}  ${words(costs[number])}`;
  });
  picture.addEventListener("pointerleave", () => {
    line.setAttribute("visibility", "hidden");
    text.textContent = "";
  });
  picture.addEventListener("click", (event) => goTo(place(at, costs[index(event)].step)));
  return picture;
}

function dollars(run, at, most, steps) {
  const costs = (run.costs || []).filter((one) => typeof one.dollars === "number");
  if (!costs.length) return make("p", "soft", "No price is known.");
  if (!most) return make("p", "soft", "All requests were free.");
  const picture = frame(most, steps, (value) => `$${Number(value.toPrecision(3))}`, `Dollars over ${count(costs.length, "step")}: ${money(costs[costs.length - 1].dollars)} at the end`);
  picture.append(drawn("path", { d: path(costs.map((one) => one.dollars), most, steps), class: "line" }));
  return asked(picture, at, costs, steps, (one) => money(one.dollars));
}

function tokens(run, at, most, steps) {
  const costs = run.costs || [];
  const last = costs[costs.length - 1];
  const picture = frame(most, steps, (value) => short(Number(value.toPrecision(3))), `Tokens over ${count(costs.length, "step")}: ${last.input || 0} in and ${last.output || 0} out at the end`);
  const cached = costs.map((one) => one.cached || 0);
  const input = costs.map((one) => one.input || 0), whole = costs.map((one) => (one.input || 0) + (one.output || 0));
  picture.append(area(costs.map(() => 0), cached, most, steps, "cached"));
  picture.append(area(cached, input, most, steps, "input"), area(input, whole, most, steps, "output"));
  return asked(picture, at, costs, steps, (one) => `${short(one.input || 0)} in, ${short(one.cached || 0)} of it cached, ${short(one.output || 0)} out`);
}

function costs() {
  const all = runs.flatMap((run) => run.costs || []);
  const mostTokens = highest(all.map((one) => (one.input || 0) + (one.output || 0)));
  if (!all.length || !mostTokens) return null;
  const mostDollars = highest(all.map((one) => one.dollars));
  const steps = Math.max(...runs.map((run) => (run.costs || []).length));
  const key = make("p", "key soft", ...KINDS.map(([name, words]) => make("span", name, words)));
  const part = (run, at) => {
    if (!(run.costs || []).length) return null;
    const panels = [make("h3", "", "Dollars over steps"), dollars(run, at, mostDollars, steps)];
    panels.push(make("h3", "", "Tokens over steps"), tokens(run, at, mostTokens, steps), key.cloneNode(true));
    return make("div", "card costs", ...panels);
  };
  return section("costs", "Costs", beside(part));
}
