"use strict";
(() => {
  const value = (cell) => {
    const text = cell.textContent.trim().replace(/−/g, "-").replace(/·10\^/, "e").replace(/\s*%$/, "");
    const number = Number(text);
    return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
  };
  const compare = (a, b) =>
    typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => compare(value(a.cells[column]), value(b.cells[column])));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
  }

  for (const input of document.querySelectorAll(".search input")) {
    const table = input.closest("figure").querySelector("table");
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
  }

  const tip = document.getElementById("tip");
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest && event.target.closest("svg [aria-label]");
    const useful = mark && mark.getAttribute("aria-roledescription") && !/axis|legend|title|container/.test(mark.getAttribute("aria-roledescription"));
    tip.hidden = !useful;
    if (!useful) return;
    tip.textContent = mark.getAttribute("aria-label");
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
  });

  const zoom = document.getElementById("zoom");
  const enlarge = (svg) => { zoom.replaceChildren(svg.cloneNode(true)); zoom.showModal(); };
  for (const svg of document.querySelectorAll(".chart svg")) {
    svg.setAttribute("tabindex", "0");
    svg.addEventListener("click", () => enlarge(svg));
    svg.addEventListener("keydown", (event) => event.key === "Enter" && enlarge(svg));
  }
  zoom.addEventListener("click", () => zoom.close());
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();
