// A switch for each head: one row for each layer. A coloured switch is on. A click, Enter or Space
// switches a head; the arrow keys move the focus.
export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.send = (off) => setTriggerValue("off", off);
  view.update(data);
}

function build(parentElement) {
  const root = element("div", "board");
  parentElement.append(root);
  let cells = []; // {cell, row, column}, where row and column are the layer and the head
  let badges = ""; // those of the drawn switches, as JSON
  let received = null, waiting = []; // states as JSON; those in `waiting` were sent, not answered

  const isOn = ({ cell }) => cell.getAttribute("aria-checked") === "true";
  const setOn = ({ cell }, on) => cell.setAttribute("aria-checked", String(on));
  const offNow = () => cells.filter((each) => !isOn(each)).map(({ row, column }) => [row, column]);

  // The answer to a click may arrive after the next click, so it must not undo that one.
  function update(data) {
    const state = JSON.stringify(data.off);
    const isDrawn = badges === JSON.stringify(data.badges);
    if (!isDrawn) draw(data.badges);
    const answered = waiting.indexOf(state);
    if (isDrawn && answered >= 0) waiting = waiting.slice(answered + 1);
    else if (!isDrawn || state !== received) {
      waiting = [];
      const off = new Set(data.off.map(String));
      for (const each of cells) setOn(each, !off.has(String([each.row, each.column])));
    }
    received = state;
  }

  function draw(rows) {
    badges = JSON.stringify(rows);
    cells = [];
    root.style.setProperty("--heads", rows[0].length);
    const lines = rows.map((row, layer) => {
      const line = element("div", "layer");
      line.setAttribute("role", "group");
      line.setAttribute("aria-label", `Layer ${layer + 1}`);
      line.append(element("span", "name", `L${layer + 1}`));
      row.forEach((badge, head) => line.append(makeSwitch(layer, head, badge)));
      return line;
    });
    root.replaceChildren(...lines);
  }

  function makeSwitch(layer, head, badge) {
    const name = `Layer ${layer + 1}, head ${head + 1}${badge ? `: ${badgeText(badge)}` : ""}`;
    const cell = button("switch", "", name, () => {
      setOn(place, !isOn(place));
      focusable(place);
      waiting.push(JSON.stringify(offNow()));
      view.send(offNow());
    });
    const place = { cell, row: layer, column: head };
    cell.setAttribute("role", "switch");
    cell.append(element("span", "number", `H${head + 1}`), badgeNode(badge));
    cell.tabIndex = cells.length ? -1 : 0;
    cell.onfocus = () => focusable(place);
    cell.onkeydown = (event) => moveInGrid(event, cells, place);
    cells.push(place);
    return cell;
  }

  const focusable = (place) => cells.forEach((each) => (each.cell.tabIndex = each === place ? 0 : -1));

  const view = { root, update };
  return view;
}
