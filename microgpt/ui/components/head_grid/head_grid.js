// A grid of small maps: one row for each layer, one column for each head. The last column shows the
// mean of each layer, the last row the mean of all heads. A click, Enter or Space picks a map; the
// arrow keys move the focus. All maps are parts of one image, from head_images.js, which has the
// same rows and columns.
export default function ({ data, parentElement, setTriggerValue }) {
  const layers = data.badges.length;
  const heads = data.badges[0].length;
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
    const badge = data.badges[layer][head];
    return `Layer ${layer + 1}, head ${head + 1}${badge ? `: ${badgeText(badge)}` : ""}`;
  };
  const cells = [];
  // layer or head is null for a mean, which is the last in its row or column.
  const add = (layer, head) => {
    const chosen = layer === data.layer && head === data.head;
    const row = layer ?? layers, column = head ?? heads;
    const pick = () => {
      setTriggerValue("picked", [layer, head]);
      // On a phone the large map is below the grid.
      const large = document.querySelector(`.st-key-${data.large}`);
      if (large) keepInView(large);
    };
    const cell = button("", "", name(layer, head), pick);
    cell.setAttribute("aria-pressed", String(chosen));
    cell.tabIndex = chosen ? 0 : -1;
    cell.classList.toggle("mean", head === null);
    const image = label("", "map");
    image.style.backgroundPosition = `${(100 * column) / heads}% ${(100 * row) / layers}%`;
    cell.append(image, badgeNode(head === null ? null : data.badges[layer][head]));
    const place = { cell, row, column };
    cell.onkeydown = (event) => moveInGrid(event, cells, place);
    cells.push(place);
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

// Scroll to an element, and again if it or the page grows, until the visitor does anything else.
let left = new AbortController();
function keepInView(node) {
  left.abort();
  left = new AbortController();
  const observer = new ResizeObserver(() => {
    if (!node.isConnected) return observer.disconnect();
    node.scrollIntoView({ block: "nearest", behavior: "smooth" });
  });
  observer.observe(node);
  observer.observe(document.querySelector('[data-testid="stMainBlockContainer"]'));
  left.signal.onabort = () => observer.disconnect();
  for (const event of ["wheel", "pointerdown", "touchstart", "keydown"]) {
    addEventListener(event, () => left.abort(), { capture: true, signal: left.signal });
  }
}
