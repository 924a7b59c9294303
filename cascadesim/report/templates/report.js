"use strict";
(() => {
  const value = (cell) => ("sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent);
  const order = (a, b) =>
    typeof a === "number" && typeof b === "number" ? (a < b ? -1 : a > b ? 1 : 0)
      : String(a).localeCompare(String(b), "en", { numeric: true });

  // Tables: the button in each heading sorts the rows, and sorts them the other way round again.
  const sortBy = (table, column) => {
    const heads = [...table.tHead.rows[0].cells];
    const head = heads[column];
    const sorted = head.getAttribute("aria-sort");
    const upwards = sorted !== "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
    rows.sort((a, b) => (upwards ? 1 : -1) * order(a[0], b[0]));
    body.append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table")) {
    if (table.tBodies[0].rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, column));
      head.append(button);
    });
  }

  // Timelines: what is known of a request stands in its title, which the tip shows in its place.
  const tip = document.getElementById("tip");
  const told = document.getElementById("told");
  const plots = [...document.querySelectorAll(".plot")].map((region) => {
    const points = [...region.querySelectorAll("use[data-request]")].map((mark) => {
      const title = mark.querySelector("title");
      const texts = title.textContent.split("; ");
      title.remove();
      return { mark, texts, key: mark.dataset.request, x: +mark.getAttribute("x"), y: +mark.getAttribute("y") };
    });
    const svg = region.querySelector("svg");
    const byLatency = points.map((_, i) => i).sort((a, b) => points[a].y - points[b].y || a - b);
    return {
      region, svg, points, byLatency, current: -1,
      variant: region.closest("details").querySelector("summary").textContent,
      byKey: new Map(points.map((point, i) => [point.key, i])),
    };
  });
  document.querySelectorAll(".with-script").forEach((element) => { element.hidden = false; });

  let shown = null; // the request of which the tip tells
  const clear = () => {
    document.querySelectorAll(".told").forEach((ring) => ring.remove());
    tip.hidden = true;
    shown = null;
  };
  const ring = (plot, point) => {
    const circle = document.createElementNS(plot.svg.namespaceURI, "circle");
    circle.setAttribute("class", "told");
    circle.setAttribute("cx", point.x);
    circle.setAttribute("cy", point.y);
    circle.setAttribute("r", 6.5);
    plot.svg.append(circle);
  };
  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const facts = (texts) => {
    const parts = texts.filter((text) => / in /.test(text) && /^[0-9]/.test(text));
    return [texts.filter((text) => !parts.includes(text)), parts];
  };
  const fill = (plot, point, others) => {
    const [lead, parts] = facts(point.texts);
    const list = document.createElement("ul");
    list.append(...parts.map((text) => element("li", text)));
    tip.replaceChildren(element("strong", plot.variant), element("span", lead.join(", ")), list);
    for (const [other, same] of others.slice(0, 4)) {
      const [short] = facts(same.texts);
      tip.append(element("p", `${other.variant}: ${short.slice(-2).join(", ")}`));
    }
  };
  const place = (point) => {
    const box = point.mark.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.x + 14), innerWidth - size.width - 8);
    const below = box.y + 18;
    const top = below + size.height < innerHeight ? below : Math.max(8, box.y - size.height - 10);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${top}px`;
  };
  const bringIntoView = (plot, point) => {
    plot.region.scrollIntoView({ block: "nearest" });
    const scale = plot.svg.getBoundingClientRect().width / plot.svg.viewBox.baseVal.width;
    plot.region.scrollLeft = point.x * scale - plot.region.clientWidth / 2;
  };
  const tell = (plot, i, aloud) => {
    clear();
    const point = plot.points[i];
    plot.current = i;
    ring(plot, point);
    const others = plots
      .filter((other) => other !== plot && other.byKey.has(point.key))
      .map((other) => [other, other.points[other.byKey.get(point.key)]]);
    others.forEach(([other, same]) => ring(other, same));
    fill(plot, point, others);
    tip.hidden = false;
    shown = point;
    if (aloud) bringIntoView(plot, point);
    place(point);
    if (aloud) told.textContent = [...tip.children].map((child) => child.textContent).join(". ");
  };
  const nearest = (plot, event) => {
    const box = plot.svg.getBoundingClientRect();
    const scale = plot.svg.viewBox.baseVal.width / box.width;
    const [x, y] = [(event.clientX - box.x) * scale, (event.clientY - box.y) * scale];
    let [best, least] = [-1, (event.pointerType === "touch" ? 40 : 20) ** 2];
    plot.points.forEach((point, i) => {
      const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  };
  const step = (plot, key) => {
    const last = plot.points.length - 1;
    const rank = plot.byLatency.indexOf(plot.current);
    const steps = {
      ArrowLeft: () => Math.max(plot.current - 1, 0),
      ArrowRight: () => Math.min(plot.current + 1, last),
      ArrowUp: () => plot.byLatency[Math.max(rank - 1, 0)],
      ArrowDown: () => plot.byLatency[Math.min(rank + 1, last)],
      Home: () => 0,
      End: () => last,
    };
    if (!(key in steps)) return -1;
    return plot.current < 0 ? plot.byLatency[0] : steps[key]();
  };
  for (const plot of plots) {
    const point = (event) => {
      const i = nearest(plot, event);
      if (i < 0) clear();
      else if (i !== plot.current || tip.hidden) tell(plot, i, false);
    };
    plot.svg.addEventListener("pointermove", point);
    plot.svg.addEventListener("pointerdown", point);
    plot.svg.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") clear(); // a finger leaves as it lifts, and then one reads
    });
    plot.region.addEventListener("blur", clear);
    plot.region.addEventListener("focus", () => {
      if (plot.points.length && plot.region.matches(":focus-visible")) {
        tell(plot, plot.current < 0 ? plot.byLatency[0] : plot.current, true);
      }
    });
    plot.region.addEventListener("keydown", (event) => {
      if (!plot.points.length) return;
      const i = step(plot, event.key);
      if (i < 0) return;
      event.preventDefault();
      tell(plot, i, true);
    });
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  addEventListener("scroll", () => { if (shown) place(shown); }, { capture: true, passive: true });

  // On paper everything is unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    clear();
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((section) => { section.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((section) => { section.open = false; }));
})();
