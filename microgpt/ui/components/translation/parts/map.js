// One attention map with its title, the choice of its head and its labels. Its rows are queries, its
// columns keys.
const LEAST_MASKED = 6; // rows of a map whose masked part has space for a text
const mapPanel = (kind, { point, pin, leave, choose }) => {
  const root = element("article", `panel ${kind}`);
  const title = element("h4", "panel-title"), about = element("p", "panel-about");
  // What this kind of attention does, and what the chosen head does.
  const rule = element("span", ""), does = element("strong", "does");
  const select = element("select", "choose-head");
  const grid = element("div", "grid"), box = element("div", "map-box");
  const axes = element("div", "axes");
  const columnLabels = element("div", "labels columns"), rowLabels = element("div", "labels rows");
  const canvas = element("canvas", "map"), rowMark = element("div", "mark"), columnMark = element("div", "mark");
  const masked = element("span", "masked");
  canvas.setAttribute("role", "img");
  box.append(canvas, masked, columnMark, rowMark);
  grid.append(axes, columnLabels, rowLabels, box);
  const head = element("div", "panel-head");
  head.append(title, select);
  about.append(rule, does);
  root.append(head, about, grid);
  let size = [1, 1], labels = "";

  select.onchange = () => choose(Number(select.value));
  const cellUnder = (event) => {
    const area = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - area.left) / area.width) * size[1]);
    const row = Math.floor(((event.clientY - area.top) / area.height) * size[0]);
    const isInside = row >= 0 && column >= 0 && row < size[0] && column < size[1];
    return isInside && !(kind === "decoder" && column > row) ? [row, column] : null;
  };
  canvas.onpointermove = canvas.onpointerdown = (event) => {
    const cell = cellUnder(event);
    if (cell) point(...cell);
    else leave();
  };
  canvas.onpointerleave = (event) => {
    if (event.pointerType === "mouse") leave(); // a tap also ends in pointerleave
  };
  canvas.onclick = (event) => {
    const cell = cellUnder(event);
    if (cell && event.pointerType === "mouse") pin(...cell);
  };

  function describe(panel, names) {
    title.textContent = panel.title;
    rule.textContent = panel.about;
    axes.replaceChildren(element("span", "", `↓ query: ${panel.queries}`), element("span", "", `→ key: ${panel.keys}`));
    masked.textContent = panel.masked;
    select.setAttribute("aria-label", `Head of the map: ${panel.title}`);
    if (names.join() === [...select.options].map((each) => each.textContent).join()) return;
    const options = names.map((text, i) => {
      const option = element("option", "", text);
      option.value = i;
      return option;
    });
    select.replaceChildren(...options);
  }

  function writeLabels(rows, columns) {
    if (labels === JSON.stringify([rows, columns])) return;
    labels = JSON.stringify([rows, columns]);
    rowLabels.replaceChildren(...rows.map((each) => element("span", "", each)));
    columnLabels.replaceChildren(...columns.map((each) => element("span", "", each)));
    grid.style.setProperty("--rows", rows.length);
    grid.style.setProperty("--columns", columns.length);
  }

  // written: how many rows are shown. sentence: what the head does.
  function paint({ rows, columns, weights, palette, row, column, written, head, does: sentence }) {
    size = [rows.length, columns.length];
    writeLabels(rows, columns);
    select.value = head;
    does.textContent = sentence;
    [canvas.height, canvas.width] = size;
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
    weights.forEach((weight, at) => {
      const [query, key] = [Math.floor(at / size[1]), at % size[1]];
      if (query >= written || (kind === "decoder" && key > query)) return; // masked cells are blank
      image.data.set([...palette[weight], 255], 4 * at);
    });
    context.putImageData(image, 0, 0);
    masked.hidden = rows.length < LEAST_MASKED;
    canvas.setAttribute("aria-label", `${title.textContent}, ${select.selectedOptions[0]?.textContent}`);
    place(rowMark, row, size[0], "top", "height");
    place(columnMark, column, size[1], "left", "width");
    [...rowLabels.children].forEach((each, i) => each.classList.toggle("query", i === row));
    [...columnLabels.children].forEach((each, i) => each.classList.toggle("query", i === column));
  }

  function place(mark, at, count, side, extent) {
    mark.hidden = at === null;
    mark.style[side] = `${(100 * at) / count}%`;
    mark.style[extent] = `${100 / count}%`;
  }

  return { root, grid, describe, paint };
};
