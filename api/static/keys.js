// Keys for who is on call: each takes you to the form or the row, and Enter does it, so that no slip of a finger acts.
// They can be switched off (WCAG 2.2, 2.1.4), and are for nobody who is typing.
"use strict";

const KEYS = [
  ["a", "Acknowledge", "#acknowledge-note"],
  ["r", "Resolve", "#resolve-note"],
  ["c", "Close", "#close-note"],
  ["d", "Disposition and root cause", "#disposition"],
  ["n", "Note on it: a comment", "#comment"],
];
const OFF = "vigil-keys-off";

function step(by) {
  const stops = [...document.querySelectorAll(".incidents .what a")];
  const places = stops.length ? stops : [...document.querySelectorAll("main h2")];
  if (!places.length) return;
  const at = places.indexOf(document.activeElement);
  const next = places[Math.min(Math.max(at + by, 0), places.length - 1)];
  if (!stops.length) next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function help() {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    const title = document.createElement("h2");
    title.id = "keys-title";
    title.textContent = "Keys";
    const list = document.createElement("dl");
    for (const [key, does] of [...KEYS, ["j k", "Next and last: incident of a list, part of a page"], ["?", "These keys"]]) {
      const [term, told] = [document.createElement("dt"), document.createElement("dd")];
      term.append(...key.split(" ").map(k => Object.assign(document.createElement("kbd"), { textContent: k })));
      told.textContent = does;
      list.append(term, told);
    }
    const label = Object.assign(document.createElement("label"), { className: "choice" });
    const on = Object.assign(document.createElement("input"), { type: "checkbox", id: "keys-on" });
    on.checked = !localStorage.getItem(OFF);
    on.addEventListener("change", () => on.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
    label.append(on, " Use them; the key ? stays");
    const form = Object.assign(document.createElement("form"), { method: "dialog" });
    form.append(Object.assign(document.createElement("button"), { textContent: "Shut" }));
    dialog.append(title, list, label, form);
    document.body.append(dialog);
  }
  dialog.showModal();
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input,select,textarea,[contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "?") return help();
  if (localStorage.getItem(OFF)) return;
  const found = KEYS.find(([key]) => key === event.key);
  const field = found && document.querySelector(found[2]);
  if (field) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "j" || event.key === "k") {
    step(event.key === "j" ? 1 : -1);
  }
});
