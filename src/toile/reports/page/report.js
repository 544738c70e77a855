// The report answers to the hand. Without this it is as complete: nothing is hidden that a click would show first.
(() => {
  const make = (tag, given) => Object.assign(document.createElement(tag), given);

  // Columns sort by what their cells say: as numbers where all are.
  const value = (cell) => {
    const text = cell?.textContent.trim() ?? "";
    const number = parseFloat(text.replaceAll(",", "").replace("−", "-"));
    return text === "" || text === "–" ? null : Number.isNaN(number) ? text.toLowerCase() : number;
  };
  for (const table of document.querySelectorAll(".scroll > table")) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const rows = [...body.rows];
    // A row without a name belongs to the one above it: such tables keep their order.
    if (rows.length < 3 || rows.some((row) => !row.cells[0].textContent.trim())) continue;
    heads.forEach((head, column) => {
      const button = make("button", { type: "button", className: "sort", textContent: head.textContent });
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending" || (!head.hasAttribute("aria-sort") && !head.classList.contains("number"));
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const keyed = rows.map((row) => [value(row.cells[column]), row]);
        const order = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
        keyed.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : (up ? 1 : -1) * order(a, b)));
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }

  // A name in a legend picks its lines, or puts them away.
  for (const entry of document.querySelectorAll(".legend li[data-pick]")) {
    const panels = entry.closest(".legend").nextElementSibling;
    const lines = panels.querySelectorAll(`[data-line="${entry.dataset.pick}"]`);
    if (!lines.length) continue;
    const button = make("button", { type: "button", className: "pick" });
    button.setAttribute("aria-pressed", "true");
    button.append(...entry.childNodes);
    entry.append(button);
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      for (const line of lines) line.style.display = on ? "" : "none";
    });
  }

  // A cell of a confusion matrix shows its pictures.
  for (const cell of document.querySelectorAll("[data-cell]")) {
    const strip = document.getElementById(`pictures-${cell.closest("svg").dataset.picture}-${cell.dataset.cell}`);
    if (!strip) continue;
    cell.setAttribute("tabindex", "0");
    cell.setAttribute("role", "button");
    cell.setAttribute("aria-label", strip.querySelector("img").alt);
    const show = () => {
      for (const other of document.querySelectorAll(".strip.here")) other.classList.remove("here");
      strip.classList.add("here");
      strip.closest("details").open = true;
      strip.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    };
    cell.addEventListener("click", show);
    cell.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), show()));
  }
})();
