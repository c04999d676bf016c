// The heads of the cross-attention: a button that shows a head's map, with what it does, and a switch.
// The last button shows the mean of all heads.
const headList = (root, { choose, switched }) => {
  const list = root.querySelector(".list");
  list.setAttribute("role", "radiogroup");
  list.setAttribute("aria-label", "The head that is shown");
  let rows = [], drawn = "", received = null, waiting = []; // states as JSON, as in switchboard.js

  const isOn = ({ toggle }) => toggle.getAttribute("aria-checked") === "true";
  const offNow = () => rows.filter((row) => row.toggle && !isOn(row)).map((row) => row.place);
  const setOn = (row, on) => {
    row.toggle.setAttribute("aria-checked", String(on));
    row.toggle.textContent = on ? "on" : "off";
    row.node.classList.toggle("off", !on);
  };
  const send = () => {
    waiting.push(JSON.stringify(offNow()));
    allOn.disabled = !offNow().length;
    switched(offNow());
  };
  const allOn = button("switch", "all on", "Switch all heads on", () => {
    for (const row of rows) if (row.toggle) setOn(row, true);
    send();
  });

  function show({ names, places, without, off }) {
    const state = JSON.stringify(off), isDrawn = drawn === JSON.stringify([names, without]);
    if (!isDrawn) {
      drawn = JSON.stringify([names, without]);
      rows = [...names, MEAN].map((name, i) => makeRow(name, i, places[i], without[i]));
      list.replaceChildren(...rows.map((row) => row.node));
    }
    const answered = waiting.indexOf(state);
    if (isDrawn && answered >= 0) waiting = waiting.slice(answered + 1);
    else if (!isDrawn || state !== received) {
      waiting = [];
      const switchedOff = new Set(off.map(String));
      for (const row of rows) if (row.toggle) setOn(row, !switchedOff.has(String(row.place)));
    }
    received = state;
    allOn.disabled = !offNow().length;
  }

  function makeRow(name, i, place, without) {
    const node = element("div", "head-row");
    const pick = button("pick", "", name, () => choose(i));
    const what = element("span", "what"), share = element("span", "number"), chance = element("span", "number");
    pick.setAttribute("role", "radio");
    pick.append(element("span", "head-name", name), what, share, chance);
    pick.onkeydown = (event) => {
      const by = arrow(event, true);
      if (!by) return;
      event.preventDefault();
      const to = (i + by + rows.length) % rows.length;
      choose(to);
      rows[to].pick.focus();
    };
    node.append(pick);
    const row = { node, pick, name, what, share, chance };
    if (!place) {
      node.append(allOn);
      return row;
    }
    const toggle = button("switch", "", `${name} on. ${without ?? ""}`, () => {
      setOn(row, !isOn(row));
      send();
    });
    toggle.setAttribute("role", "switch");
    node.append(toggle);
    return Object.assign(row, { toggle, place });
  }

  // Mark the head that is shown, and write what each head does at this step.
  function mark(chosen, scores) {
    rows.forEach((row, i) => {
      const score = scores[i];
      row.what.textContent = score?.name ?? "";
      row.what.classList.toggle("faint", !score?.strong);
      row.share.textContent = score ? score.share.toFixed(2) : "";
      row.chance.textContent = score ? score.chance.toFixed(2) : "";
      const said = score ? `${row.name}: ${score.name}, ${score.share.toFixed(2)} of its attention, by chance ${score.chance.toFixed(2)}` : row.name;
      row.pick.title = said;
      row.pick.setAttribute("aria-label", said);
    });
    setRovingTabindex(rows.map((row) => row.pick), chosen, "aria-checked");
  }
  return { show, mark };
};
