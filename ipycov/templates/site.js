"use strict";
(() => {
  const table = document.getElementById("index");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const filter = document.getElementById("filter");
  const parts = document.getElementById("parts");
  const matches = document.getElementById("matches");
  const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

  function sort(header, column) {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    const numbers = header.dataset.type === "number";
    const compare = (a, b) => numbers
      ? Number(value(a, column)) - Number(value(b, column))
      : names.compare(value(a, column), value(b, column));
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const sorted = rows.slice().sort((a, b) => ascending ? compare(a, b) : compare(b, a));
    body.append(...sorted);
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    let listed = 0;
    for (const row of rows) {
      const name = row.cells[0].textContent.toLowerCase();
      const is_listed = words.length > 0 || !parts || parts.checked || !row.classList.contains("part");
      row.hidden = !is_listed || !words.every((word) => name.includes(word));
      listed += is_listed;
      shown += !row.hidden;
    }
    matches.textContent = words.length ? `${shown} of ${listed} match` : `${shown} listed`;
  }

  Array.from(table.tHead.rows[0].cells).forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => sort(header, column));
    header.replaceChildren(button);
    header.setAttribute("aria-sort", "none");
  });
  const tools = document.getElementById("tools");
  tools.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", show);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { filter.value = ""; show(); }
  });
  if (parts) parts.addEventListener("change", show);
  tools.hidden = false;
  show();
})();
