"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const table = byId("table");
  const first = table.tBodies[0];
  const filter = byId("filter");
  const group = byId("group");
  const count = byId("count");
  const heads = [...table.tHead.rows[0].cells];
  const columns = heads.length;
  const clusterAt = heads.findIndex((head) => head.dataset.key === "cluster");
  const told = count.textContent;
  const more = byId("more");

  // So many rows are laid out at once: a browser takes seconds for ten thousand.
  const STEP = 500;
  let limit = STEP;

  // Each row, read once: what is compared, searched and grouped of it.
  const rows = [...first.rows].map((row, index) => {
    const cells = [...row.cells];
    const text = (at) => cells[at].textContent.trim();
    const file = row.querySelector(".file").textContent;
    const line = Number(row.querySelector(".line").textContent.slice(1));
    const slash = file.lastIndexOf("/");
    return {
      row,
      index,
      // A space between the cells, so that no word goes from one into the next.
      search: cells.map((cell) => cell.textContent).join(" ").toLowerCase(),
      state: row.dataset.state,
      covered: row.dataset.covered === "1",
      file,
      line,
      keys: heads.map((head, at) => {
        switch (head.dataset.key) {
          case "state": return index;
          case "newer": return row.dataset.behind === undefined ? -1 : Number(row.dataset.behind);
          default: return text(at).toLowerCase();
        }
      }),
      groups: {
        folder: slash < 0 ? "./" : file.slice(0, slash + 1),
        image: (row.querySelector(".repository") || {}).textContent || "no name of its own",
        cluster: clusterAt < 0 ? "" : text(clusterAt) || "no cluster",
        state: text(0),
      },
    };
  });

  const order = new Intl.Collator("en", { numeric: true });
  const chosen = new Set();
  let sort = { at: -1, down: false };

  function compare(a, b) {
    if (sort.at < 0) return a.index - b.index;
    let result;
    if (heads[sort.at].dataset.key === "place") {
      result = order.compare(a.file, b.file) || a.line - b.line;
    } else {
      const [one, other] = [a.keys[sort.at], b.keys[sort.at]];
      result = typeof one === "number" ? one - other : order.compare(one, other);
    }
    return (sort.down ? -result : result) || a.index - b.index;
  }

  function header(name, members) {
    const row = document.createElement("tr");
    row.className = "group";
    const cell = document.createElement("th");
    cell.colSpan = columns;
    cell.scope = "rowgroup";
    cell.textContent = name;
    const more = document.createElement("span");
    more.className = "more";
    const covered = members.filter((one) => one.covered).length;
    more.textContent = `${members.length} ${members.length === 1 ? "image" : "images"}, ${covered} covered`;
    cell.append(" ", more);
    row.append(cell);
    return row;
  }

  function nothing() {
    const row = document.createElement("tr");
    row.className = "none";
    const cell = document.createElement("td");
    cell.colSpan = columns;
    cell.textContent = "No image fits the filter.";
    row.append(cell);
    return row;
  }

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter((one) =>
      (chosen.size === 0 || chosen.has(one.state)) &&
      words.every((word) => one.search.includes(word)));
    shown.sort(compare);
    const bodies = [];
    let room = limit;
    if (group.value === "") {
      const body = document.createElement("tbody");
      const visible = shown.slice(0, limit);
      body.append(...(shown.length === 0 ? [nothing()] : visible.map((one) => one.row)));
      bodies.push(body);
    } else {
      const groups = new Map();
      for (const one of shown) {
        const name = one.groups[group.value];
        if (!groups.has(name)) groups.set(name, []);
        groups.get(name).push(one);
      }
      const names = [...groups.keys()];
      // States keep the order of the page: what asks for work comes first.
      if (group.value !== "state") names.sort(order.compare);
      for (const name of names) {
        if (room <= 0) break;
        const members = groups.get(name);
        const body = document.createElement("tbody");
        const visible = members.slice(0, room);
        room -= visible.length;
        body.append(header(name, members), ...visible.map((one) => one.row));
        bodies.push(body);
      }
      if (names.length === 0) {
        const body = document.createElement("tbody");
        body.append(nothing());
        bodies.push(body);
      }
    }
    for (const body of [...table.tBodies]) body.remove();
    table.append(...bodies);
    count.textContent = shown.length === rows.length ? told : `${shown.length} of ${rows.length} images`;
    more.hidden = shown.length <= limit;
    more.textContent = `Show ${Math.min(STEP, shown.length - limit)} of ${shown.length - limit} more`;
  }

  // What is asked for anew begins at its top.
  function begin() {
    limit = STEP;
    show();
  }

  for (const [at, head] of heads.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // What is furthest behind comes first.
      const starts = head.dataset.key === "newer";
      sort = { at, down: sort.at === at ? !sort.down : starts };
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      begin();
    });
  }

  for (const item of document.querySelectorAll(".legend li")) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(...item.childNodes);
    item.classList.remove("plain");
    item.replaceChildren(button);
    button.addEventListener("click", () => {
      const state = item.dataset.state;
      if (!chosen.delete(state)) chosen.add(state);
      button.setAttribute("aria-pressed", String(chosen.has(state)));
      begin();
    });
  }

  let waiting = 0;
  filter.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(begin);
  });
  group.addEventListener("change", begin);
  more.addEventListener("click", () => {
    limit += STEP;
    show();
  });
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("reset").addEventListener("click", () => {
    filter.value = "";
    group.value = "";
    sort = { at: -1, down: false };
    chosen.clear();
    for (const head of heads) head.removeAttribute("aria-sort");
    for (const button of document.querySelectorAll(".legend button")) button.setAttribute("aria-pressed", "false");
    begin();
  });
  byId("controls").hidden = false;
  if (rows.length > STEP) show();
})();
