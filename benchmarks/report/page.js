"use strict";
const results = new Map(
  [...document.querySelectorAll("script[data-file]")].map((script) => [script.dataset.file, JSON.parse(script.textContent)]),
);

function valueAt(source) {
  const [file, pointer] = source.split(/#(.*)/s);
  const keys = pointer.split("/").slice(1).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((value, key) => value[key], results.get(file));
}

function sortBy(head) {
  const body = head.closest("table").tBodies[0];
  const down = head.ariaSort !== "descending";
  for (const other of head.parentNode.children) other.ariaSort = null;
  head.ariaSort = down ? "descending" : "ascending";
  const compare = (a, b) => {
    const [x, y] = [a, b].map((row) => row.cells[head.cellIndex]);
    if (!x.dataset.src && !y.dataset.src) return y.textContent.localeCompare(x.textContent, "en", { numeric: true }) * (down ? -1 : 1);
    const [p, q] = [x, y].map((cell) => (cell.dataset.v === undefined ? NaN : Number(cell.dataset.v)));
    if (Number.isNaN(p) || Number.isNaN(q)) return Number.isNaN(p) - Number.isNaN(q);
    return down ? q - p : p - q;
  };
  body.append(...[...body.rows].sort(compare));
}

document.addEventListener("click", ({ target }) => {
  const head = target.closest("th");
  const cell = target.closest("td[data-src]");
  if (head) sortBy(head);
  const bar = document.getElementById("source");
  bar.hidden = !cell;
  if (cell) bar.textContent = `${cell.dataset.src} = ${valueAt(cell.dataset.src)}`;
});

function showTarget() {
  const row = location.hash && document.getElementById(location.hash.slice(1));
  if (!row) return;
  row.closest("details")?.setAttribute("open", "");
  row.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", showTarget);
showTarget();
