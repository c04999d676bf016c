// The layers x heads grid of thumbnails; a click, Enter or Space picks a head, arrows move.
export default function ({ data, parentElement, setTriggerValue }) {
  const columns = data.images[0].length;
  let grid = parentElement.querySelector(".grid");
  if (!grid) {
    grid = document.createElement("div");
    grid.className = "grid";
    grid.setAttribute("role", "group");
    grid.setAttribute("aria-label", "All heads");
    parentElement.appendChild(grid);
  }
  grid.style.gridTemplateColumns = `auto repeat(${columns}, minmax(0, 1fr))`;

  const cells = [];
  const label = (text, className = "label") => {
    const node = document.createElement("span");
    node.className = className;
    node.textContent = text;
    return node;
  };
  const nodes = [label("")];
  for (let head = 0; head < columns; head++) nodes.push(label(`H${head + 1}`));
  data.images.forEach((row, layer) => {
    nodes.push(label(`L${layer + 1}`));
    row.forEach((url, head) => {
      const cell = document.createElement("button");
      const chosen = layer === data.layer && head === data.head;
      cell.type = "button";
      const badge = data.badges[layer][head];
      cell.title = `Layer ${layer + 1}, head ${head + 1}${badge && `: ${badge}`}`;
      cell.setAttribute("aria-label", cell.title);
      cell.setAttribute("aria-pressed", String(chosen));
      cell.tabIndex = chosen ? 0 : -1;
      const image = document.createElement("img");
      image.src = url;
      image.alt = "";
      cell.append(image, label(badge, "badge"));
      cell.onclick = () => setTriggerValue("picked", [layer, head]);
      cell.onkeydown = (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        const next = step && cells[cells.indexOf(cell) + step];
        if (next) {
          event.preventDefault();
          next.focus();
        }
      };
      cells.push(cell);
      nodes.push(cell);
    });
  });
  const focused = cells.length && parentElement.activeElement;
  const at = focused ? [...grid.querySelectorAll("button")].indexOf(focused) : -1;
  grid.replaceChildren(...nodes);
  if (at >= 0 && cells[at]) cells[at].focus();
}
