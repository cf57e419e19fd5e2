
"use strict";
const pageData = JSON.parse(document.getElementById("page-data").textContent);
const panel = document.querySelector("aside");

function line(tag, text, parent) {
  const made = parent.appendChild(document.createElement(tag));
  made.textContent = text;
  return made;
}

function show(box) {
  const known = pageData[box.id];
  if (!known) return;
  for (const other of document.querySelectorAll(".chosen")) other.classList.remove("chosen");
  box.classList.add("chosen");
  for (const edge of document.querySelectorAll(".edge"))
    edge.classList.toggle("lit", edge.dataset.ends.split(" ").includes(box.id));
  panel.replaceChildren();
  line("h3", known.name, panel);
  if (known.signature) line("pre", known.signature, panel);
  if (known.doc) line("p", known.doc, panel);
  const facts = panel.appendChild(document.createElement("dl"));
  for (const [word, value] of [["defined", known.where], ["named", known.at], ["as", known.relation]])
    if (value) { line("dt", word, facts); line("dd", value, facts); }
  if (known.rest) {
    const list = panel.appendChild(document.createElement("ul"));
    for (const row of known.rest) line("li", row, list);
  }
  if (known.unsure) line("p", known.unsure, panel).className = "hint";
}

for (const box of document.querySelectorAll(".box")) {
  box.addEventListener("click", () => show(box));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(box); }
  });
}
for (const box of document.querySelectorAll(".box.centre")) {
  const frame = box.closest(".scroll");
  const middle = box.getBoundingClientRect();
  frame.scrollLeft += middle.left + middle.width / 2 - frame.getBoundingClientRect().left - frame.clientWidth / 2;
}
const first = document.querySelector(".box.centre");
if (first) show(first);
