"use strict";
(() => {
  // Tables: sorted by number where cells are numbers, else by text; the search hides rows.
  const value = (cell) => {
    const text = cell.textContent.trim().replace(/−/g, "-").replace(/·10\^/, "e").replace(/[\s%]+/g, "");
    const number = Number(text.replace(/(\d)\p{L}+$/u, "$1")); // "16 folds"
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
  // Rows: the search takes any cell; a column's own box takes text, or a number behind <, > or =.
  const passes = (cell, wanted) => {
    const bound = wanted.match(/^([<>=])\s*(-?[\d.]+(?:e-?\d+)?)$/i);
    if (!bound) return cell.textContent.toLowerCase().includes(wanted);
    const number = value(cell);
    if (typeof number !== "number") return false;
    return bound[1] === "<" ? number < bound[2] : bound[1] === ">" ? number > bound[2] : number === Number(bound[2]);
  };
  for (const input of document.querySelectorAll(".search input")) {
    const figure = input.closest("figure");
    const rows = [...figure.querySelector("table").tBodies[0].rows];
    const filters = [...figure.querySelectorAll("input[data-filter]")];
    const count = input.parentElement.querySelector("output");
    const show = () => {
      const wanted = input.value.trim().toLowerCase();
      const set = filters.map((box) => [box.dataset.filter, box.value.trim().toLowerCase()]).filter(([, text]) => text);
      for (const row of rows) {
        const found = row.textContent.toLowerCase().includes(wanted);
        row.hidden = !found || !set.every(([column, text]) => passes(row.cells[column], text));
      }
      const narrowed = wanted || set.length;
      count.textContent = narrowed ? `${rows.filter((row) => !row.hidden).length} / ${rows.length}` : "";
    };
    for (const box of [input, ...filters]) box.addEventListener("input", show);
  }

  // Charts: the mark nearest to the pointer says its values. Labels come from the drawing itself: "x: 1; y: 2".
  const tip = document.getElementById("tip");
  const MARKS = "[aria-roledescription=circle],[aria-roledescription=bar],[aria-roledescription=point]";
  const REACH = 28;
  let near = null;
  const leave = () => {
    if (near) near.classList.remove("near");
    near = null;
    tip.hidden = true;
  };
  const distance = (mark, event) => {
    const box = mark.getBoundingClientRect();
    const dx = Math.max(box.left - event.clientX, 0, event.clientX - box.right);
    const dy = Math.max(box.top - event.clientY, 0, event.clientY - box.bottom);
    return dx * dx + dy * dy;
  };
  const show = (event) => {
    const svg = event.target.closest && event.target.closest(".plot svg, .stage svg");
    if (!svg) return leave();
    let best = null;
    let least = REACH * REACH;
    for (const mark of svg.querySelectorAll(MARKS)) {
      const far = distance(mark, event);
      if (far < least) [best, least] = [mark, far];
    }
    if (best !== near) leave();
    if (!best) return;
    near = best;
    near.classList.add("near");
    tip.textContent = near.getAttribute("aria-label").split("; ").join("\n");
    tip.hidden = false;
    const left = event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)) + "px";
  };
  addEventListener("pointermove", show);
  addEventListener("pointerdown", show);
  addEventListener("scroll", leave, { passive: true, capture: true });

  // Enlarged: wheel or buttons zoom around a point, dragging moves.
  const dialog = document.getElementById("zoom");
  const stage = dialog.querySelector(".stage");
  let svg = null;
  let whole = [0, 0, 1, 1];
  let view = whole;
  const set = (next) => {
    view = next;
    svg.setAttribute("viewBox", view.join(" "));
  };
  const zoom = (factor, fx = 0.5, fy = 0.5) => {
    const width = Math.min(whole[2], Math.max(whole[2] / 40, view[2] * factor));
    const height = (width * whole[3]) / whole[2];
    if (width === whole[2]) return set(whole);
    set([view[0] + (view[2] - width) * fx, view[1] + (view[3] - height) * fy, width, height]);
  };
  const enlarge = (figure) => {
    svg = figure.querySelector(".plot svg").cloneNode(true);
    whole = svg.getAttribute("viewBox").split(/[ ,]+/).map(Number);
    set(whole);
    stage.replaceChildren(svg);
    dialog.querySelector("strong").textContent = figure.querySelector("figcaption").textContent;
    leave();
    dialog.showModal();
    dialog.append(tip);
  };
  for (const button of document.querySelectorAll(".enlarge"))
    button.addEventListener("click", () => enlarge(button.closest("figure")));
  dialog.addEventListener("close", () => document.body.append(tip));
  dialog.addEventListener("click", (event) => {
    const action = event.target === dialog ? "close" : event.target.dataset.zoom;
    if (action === "close") dialog.close();
    if (action === "in") zoom(0.7);
    if (action === "out") zoom(1 / 0.7);
    if (action === "reset") set(whole);
  });
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.85 : 1 / 0.85, ...place(event));
  }, { passive: false });
  stage.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || view === whole) return;
    const box = svg.getBoundingClientRect();
    set([view[0] - (event.movementX * view[2]) / box.width, view[1] - (event.movementY * view[3]) / box.height, view[2], view[3]]);
  });

  // The contents say where the reader is.
  const links = new Map([...document.querySelectorAll(".side a")].map((a) => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const [id, link] of links) link.classList.toggle("here", id === entry.target.id);
      }
    }, { rootMargin: "-10% 0px -80% 0px" });
    for (const id of links.keys()) {
      const target = document.getElementById(id);
      if (target) seen.observe(target);
    }
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
})();
