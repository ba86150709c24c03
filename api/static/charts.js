// Draws the page's Vega-Lite specifications. Colours come from the page's own variables, anew when the scheme changes.
"use strict";

const scheme = matchMedia("(prefers-color-scheme: dark)");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function theme() {
  const text = colour("--soft"), line = colour("--line"), value = colour("--accent");
  const bad = colour("--breach"), reference = colour("--reference"), signal = colour("--signal");
  const ramp = [0, 1, 2, 3, 4].map(i => colour(`--heat-${i}`));
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { labelColor: text, titleColor: text, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 11, labelLimit: 130 },
    range: { category: [reference, value], heatmap: ramp, ramp: ramp },
    style: {
      "value": { color: value, strokeWidth: 1.5 },
      "interval": { color: value, opacity: 0.18 },
      "limit": { color: bad, strokeWidth: 1.3, strokeDash: [5, 3] },
      "reference": { color: reference, strokeWidth: 1.6, strokeDash: [1, 3], strokeCap: "round" },
      "breach-band": { color: bad, opacity: 0.1 },
      "selected": { color: text, opacity: 0.2 },
      "estimate": { color: value, strokeWidth: 1.5, strokeDash: [6, 4], opacity: 0.65 },
      "estimate-interval": { color: value, opacity: 0.09 },
      "settled": { color: value, size: 9, opacity: 1 },
      "provisional": { color: value, strokeWidth: 1.2, size: 26, opacity: 1 },
      "breach": { color: bad, size: 30, opacity: 1 },
      "incident": { color: bad, size: 110, opacity: 1 },
      "incident-line": { color: bad, strokeWidth: 1.2 },
      "signal": { color: signal, size: 70, opacity: 1 },
      "signal-line": { color: signal, strokeWidth: 1, strokeDash: [2, 3] },
      "hover": { opacity: 0 },
      "empty": { color: text, fontSize: 11 },
      "cell": { cursor: "pointer" },
      "cell-breach": { color: colour("--on-heat"), opacity: 1 },
      "whisker": { color: value, strokeWidth: 2, opacity: 0.6 },
      "dot": { color: value, size: 80, opacity: 1 },
      "bar": { cornerRadiusEnd: 1 },
    },
  };
}

async function draw(place) {
  const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
  const { view } = await vegaEmbed(place, spec, {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false,
    ast: true,                                      // expressions are interpreted: the page's policy forbids eval
    tooltip: { disableDefaultStyle: true }, config: theme(),
  });
  // The whole chart is one picture with its words; its marks are none of their own.
  for (const mark of place.querySelectorAll("svg [role]")) {
    for (const name of ["role", "aria-label", "aria-roledescription"]) mark.removeAttribute(name);
  }
  if (place.dataset.link) {
    view.addEventListener("click", (_event, item) => {
      if (!item || !item.datum || !item.datum.name) return;
      location = place.dataset.link.replace("__name__", encodeURIComponent(item.datum.name))
        .replace("__start__", new Date(item.datum.start).toISOString().replace(".000Z", "Z"));
    });
  }
}

// The numbers behind a chart as a table, made when somebody opens it.
function tabulate(details) {
  if (details.querySelector("table")) return;
  const rows = JSON.parse(document.getElementById(`${details.dataset.of}-spec`).textContent).data.values;
  const names = [...new Set(rows.flatMap(Object.keys))].filter(n => n !== "middle");
  const table = document.createElement("table"), box = document.createElement("div");
  const head = table.createTHead().insertRow();
  for (const name of names) {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = name;
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const name of names) line.insertCell().textContent = shown(name, row[name]);
  }
  box.className = "scroll tall";
  box.tabIndex = 0;
  box.append(table);
  details.append(box);
}

function shown(name, value) {
  if (value === null || value === undefined) return "–";
  if (name === "start" || name === "end") return new Date(value).toISOString().slice(0, 16).replace("T", " ");
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
}

const places = [...document.querySelectorAll(".chart")];
const all = () => Promise.all(places.map(draw)).then(() => { document.documentElement.dataset.drawn = "yes"; });
all();
scheme.addEventListener("change", all);
for (const details of document.querySelectorAll(".numbers")) details.addEventListener("toggle", () => tabulate(details));
