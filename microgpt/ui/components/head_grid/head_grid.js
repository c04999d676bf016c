// A grid of small maps: one row for each layer, one column for each head. The last column shows the
// mean of each layer, the last row the mean of all heads. A click, Enter or Space picks a map; the
// arrow keys move the focus. All maps are parts of one image, from head_images.js, which has the
// same rows and columns.
export default function ({ data, parentElement, setTriggerValue }) {
  const layers = data.labels.length;
  const heads = data.labels[0].length;
  let grid = parentElement.querySelector(".grid");
  if (!grid) {
    grid = element("div", "grid");
    grid.setAttribute("role", "group");
    grid.setAttribute("aria-label", "All heads");
    parentElement.appendChild(grid);
  }
  grid.style.gridTemplateColumns = `auto repeat(${heads + 1}, minmax(0, 1fr))`;
  grid.style.setProperty("--size", `${100 * (heads + 1)}% ${100 * (layers + 1)}%`);

  const label = (text, className = "label") => element("span", className, text);
  const name = (layer, head) => {
    if (layer === null) return "Mean of all heads";
    if (head === null) return `Mean of layer ${layer + 1}`;
    const text = data.labels[layer][head];
    return `Layer ${layer + 1}, head ${head + 1}${text && `: ${text}`}`;
  };
  const cells = [];
  // layer or head is null for a mean, which is the last in its row or column.
  const add = (layer, head) => {
    const chosen = layer === data.layer && head === data.head;
    const row = layer ?? layers, column = head ?? heads;
    const pick = () => setTriggerValue("picked", [layer, head]);
    const cell = button("", "", name(layer, head), pick);
    cell.setAttribute("aria-pressed", String(chosen));
    cell.tabIndex = chosen ? 0 : -1;
    cell.classList.toggle("mean", head === null);
    const image = label("", "map");
    image.style.backgroundPosition = `${(100 * column) / heads}% ${(100 * row) / layers}%`;
    cell.append(image, label(head === null ? "" : data.labels[layer][head], "head-label"));
    const at = cells.length;
    cell.onkeydown = (event) => {
      const along = arrow(event);
      const across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const next = along
        ? cells[at + along]
        : across && cells.find((each) => each.row === row + across && each.column === column);
      if (next) {
        event.preventDefault();
        next.cell.focus();
      }
    };
    cells.push({ cell, row, column });
    return cell;
  };

  const nodes = [label("")];
  for (let head = 0; head < heads; head++) nodes.push(label(`H${head + 1}`));
  nodes.push(label("mean"));
  for (let layer = 0; layer < layers; layer++) {
    nodes.push(label(`L${layer + 1}`));
    for (let head = 0; head < heads; head++) nodes.push(add(layer, head));
    nodes.push(add(layer, null));
  }
  nodes.push(label("mean of all heads", "label all"), add(null, null));

  const focused = parentElement.activeElement;
  const at = focused ? [...grid.querySelectorAll("button")].indexOf(focused) : -1;
  grid.replaceChildren(...nodes);
  if (at >= 0 && cells[at]) cells[at].cell.focus();
}
