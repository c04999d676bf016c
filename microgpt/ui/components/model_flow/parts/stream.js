// Draw the residual stream of the model (data) into an svg, behind its stages. picture: the element
// that holds both.
const drawStream = (svg, picture, stages, data) => {
  const area = picture.getBoundingClientRect();
  if (!area.width || !stages.firstChild) return;
  const vertical = getComputedStyle(stages).getPropertyValue("--vertical").trim() === "1";
  const rect = (node) => {
    const { left, top, right, bottom } = node.getBoundingClientRect();
    const [x, y] = [left - area.left, top - area.top];
    const [width, height] = [right - left, bottom - top];
    return vertical
      ? { from: y, to: y + height, low: x, high: x + width }
      : { from: x, to: x + width, low: y, high: y + height };
  };
  const slots = [...stages.children].map((node) => rect(node.querySelector(".slot")));
  const centre = (slots[0].low + slots[0].high) / 2;
  const lengths = data.blocks.flatMap(({ lengths: [, middle, after] }) => [middle, after]);
  const added = data.blocks.flatMap(({ lengths: [attended], mlp }) =>
    [attended, ...mlp.filter((part) => part.name === "mlp").map((part) => part.length)]);
  const most = Math.max(data.embedding.length, ...lengths, ...added, 1e-9);
  const scale = (0.86 * (slots[0].high - slots[0].low)) / most;
  const course = [{ at: (slots[0].from + slots[0].to) / 2, length: data.embedding.length }];
  const flows = [];
  const start = course[0].at;
  data.embedding.parts.forEach((part, i) => {
    const across = i && !vertical ? slots[0].high : vertical ? slots[0].high : slots[0].low;
    flows.push({
      from: [vertical ? slots[0].from + (i ? 0.85 : 0.15) * (slots[0].to - slots[0].from) : start - 8, across],
      at: start + 8, length: part.length, className: "embedding-flow", reach: data.embedding.length,
    });
  });
  data.blocks.forEach((block, layer) => {
    const slot = slots[layer + 1], width = slot.to - slot.from;
    const isOpen = layer === data.open;
    const windows = isOpen && !vertical
      ? ["middle", "after"].map((name) => rect(stages.querySelector(`.slot .${name}`))) : null;
    const [one, two] = windows
      ? windows.map(({ from }) => from - 4)
      : [slot.from + 0.4 * width, slot.from + 0.85 * width];
    const [attended, middle, after] = block.lengths;
    const mlp = block.mlp.find((part) => part.name === "mlp");
    course.push({ at: one, length: middle }, { at: two, length: after });
    const [above, below] = vertical ? [slot.high, slot.high] : [slot.low, slot.high];
    const bend = Math.min(26, 0.3 * width);
    if (isOpen) {
      const rows = [...stages.querySelectorAll(".head-row")].map(rect);
      block.attention.filter((part) => part.name === "head").forEach((part, head) => {
        const row = rows[head];
        const from = vertical
          ? [(row.from + row.to) / 2, row.low - 2]
          : [slot.from + (one - slot.from) * (0.08 + (0.8 * (head + 0.5)) / data.heads), above];
        flows.push({ from, at: one, length: part.length, className: "attention-flow", reach: middle });
      });
    } else {
      flows.push({ from: [one - bend, above], at: one, length: attended, className: "attention-flow", reach: middle });
    }
    const source = windows ? windows[0].to + 8 : two - bend;
    flows.push({ from: [source, below], at: two, length: mlp.length, className: "mlp-flow", reach: after });
  });
  const end = slots.at(-1).from + (data.norms.final ? 6 : 14);
  svg.setAttribute("viewBox", `0 0 ${area.width} ${area.height}`);
  drawRiver(svg, { course, end, centre, vertical, flows, scale });
};
