// The console works without this script; with it, a key in the address signs in, and times show in the viewer's zone.
"use strict";

const form = document.getElementById("sign-in");

function signIn() {
  if (!location.hash.startsWith("#key=")) return;
  form.elements.key.value = decodeURIComponent(location.hash.slice(5));
  history.replaceState(null, "", location.pathname + location.search);   // the key does not stay in the history
  form.submit();
}

if (form) {
  signIn();
  addEventListener("hashchange", signIn);     // the link was opened on this very page
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = local.format(new Date(time.dateTime));
}

// A choice is a link at once; without this script the button beside it sends the form.
const picker = document.getElementById("window");
if (picker) {
  picker.addEventListener("change", () => picker.form.requestSubmit());
  picker.form.classList.add("at-once");
}

// What is typed narrows the report at once; without this script, or after a search, the form does.
const find = document.getElementById("find");
if (find && !find.defaultValue) {
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/);
    for (const row of document.querySelectorAll("tr[data-words]")) {
      row.hidden = !words.every(word => row.dataset.words.includes(word));
    }
    for (const part of document.querySelectorAll("section:has(tr[data-words])")) {
      part.hidden = !part.querySelector("tr[data-words]:not([hidden])");
      if (find.value.trim()) part.querySelector("details").open = true;
    }
  });
}

// Charts keep their place before they are drawn, so that nothing moves under the reader.
for (const chart of document.querySelectorAll(".chart")) chart.style.minHeight = `${chart.dataset.height}px`;

// What can be scrolled can be scrolled by keys.
for (const part of document.querySelectorAll(".scroll")) if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
