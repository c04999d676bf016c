// Signed numbers as bars to both sides of a common zero. The line of a row is its second number; an
// arrow stands for one beyond the scale. A row that can be opened is a button; the arrow keys move
// between these.
const SHOWN = 2; // decimals
// The scale goes at most this many times as far as the longest bar. A few second numbers may be much
// larger than all bars, which would then be invisible.
const MOST = 2;
const signed2 = (value) => {
  const text = Math.abs(value).toFixed(SHOWN);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
};

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.pick = (opens) => setTriggerValue("picked", opens);
  view.show(data);
}

function build(parentElement) {
  const root = element("div", "effects");
  parentElement.appendChild(root);

  function show(data) {
    const seconds = data.columns.length > 1;
    const missing = data.bars.every(({ second }) => second === null) ? "…" : "–";
    const most = MOST * Math.max(...data.bars.map(({ value }) => Math.abs(value)));
    const within = (value) => clamp(value, -most, most);
    const all = data.bars.flatMap(({ value, second }) => [value, within(second ?? 0)]);
    const low = Math.min(0, ...all), high = Math.max(0, ...all);
    const at = (value) => (100 * (within(value) - low)) / (high - low || 1);
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", data.label);
    root.classList.toggle("seconds", seconds);
    const head = element("div", "row head");
    head.append(element("span", "name"), element("span", ""));
    head.append(...data.columns.map((title) => element("span", "number", title)));

    const openable = [];
    const rows = data.bars.map(({ name, value, second, opens }) => {
      const numbers = [value, ...(seconds ? [second] : [])];
      const texts = numbers.map((each) => (each === null ? missing : signed2(each)));
      const said = data.columns.map((title, i) => `${title} ${texts[i]}`).join(", ");
      const row =
        opens === null
          ? element("div", "row")
          : button("row", "", `${name}: ${said}`, () => view.pick(opens));
      const track = element("span", "track");
      const bar = element("span", "bar");
      bar.style.background = cssColour(value < 0 ? BELOW_0 : ABOVE_0);
      bar.style.left = `${at(Math.min(0, value))}%`;
      bar.style.width = `${at(Math.max(0, value)) - at(Math.min(0, value))}%`;
      const zero = element("span", "zero");
      zero.style.left = `${at(0)}%`;
      track.append(bar, zero);
      if (seconds && second !== null) {
        const beyond = Math.abs(second) > most;
        const line = element("span", beyond ? "beyond" : "second");
        if (beyond) line.textContent = second < 0 ? "◀" : "▶";
        line.style.left = `${at(second)}%`;
        track.append(line);
      }
      row.append(element("span", "name", name), track);
      row.append(...texts.map((text) => element("span", "number", text)));
      if (opens !== null) openable.push([row, opens]);
      return row;
    });
    const before = root.getRootNode().activeElement?.dataset.opens;
    openable.forEach(([row, opens]) => (row.dataset.opens = opens));
    root.replaceChildren(head, ...rows);
    const nodes = openable.map(([row]) => row);
    const chosen = openable.findIndex(([, opens]) => opens === data.chosen);
    if (chosen >= 0) bringIntoView(nodes[chosen]);
    setRovingTabindex(nodes, chosen, "aria-pressed");
    if (nodes.length && chosen < 0) nodes[0].tabIndex = 0;
    nodes.forEach((node, i) => {
      node.onkeydown = (event) => {
        const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
        if (!step) return;
        event.preventDefault();
        nodes[clamp(i + step, 0, nodes.length - 1)].focus();
      };
    });
    openable.find(([, opens]) => opens === before)?.[0].focus();
  }

  function bringIntoView({ offsetTop, offsetHeight }) {
    const visible = root.clientHeight - offsetHeight;
    if (offsetTop - root.scrollTop > visible) root.scrollTop = offsetTop - visible;
  }

  const view = { root, show };
  return view;
}
