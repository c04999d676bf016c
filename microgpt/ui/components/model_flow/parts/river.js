const SVG = "http://www.w3.org/2000/svg";
const svgPath = (className, d, width) => {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", className);
  path.setAttribute("d", d);
  if (width !== undefined) path.setAttribute("stroke-width", Math.max(1, width));
  return path;
};

// Draw the residual stream as a river whose width is the length of the vector.
//
// course: where it flows, [{at, length}], from the source on; at is the place along it, in pixels,
// where it reaches this length. centre: its place across. vertical: whether it flows down, and not
// to the right. flows: what joins it, [{from: [along, across], at, length, className}]. scale:
// pixels for a length of 1.
const drawRiver = (svg, { course, end, centre, vertical, flows, scale }) => {
  const point = (along, across) => (vertical ? `${across} ${along}` : `${along} ${across}`);
  const half = (length) => Math.max(1, (length * scale) / 2);
  // The bends of the edges, where the stream reaches its next length.
  const bends = course.slice(1).map(({ at, length }, i) => ({
    from: at - 16, middle: at - 8, to: at, before: half(course[i].length), after: half(length),
  }));
  const curve = (side, { from, middle, to, before, after }) =>
    `L${point(from, centre + side * before)}C${point(middle, centre + side * before)} ` +
    `${point(middle, centre + side * after)} ${point(to, centre + side * after)}`;
  const reversed = ({ from, middle, to, before, after }) =>
    ({ from: to, middle, to: from, before: after, after: before });
  const [first, last] = [course[0], course.at(-1)];
  const outline =
    `M${point(first.at, centre - half(first.length))}` +
    bends.map((bend) => curve(-1, bend)).join("") +
    `L${point(end, centre - half(last.length))}L${point(end, centre + half(last.length))}` +
    bends.map((bend) => curve(1, reversed(bend))).reverse().join("") +
    `L${point(first.at, centre + half(first.length))}Z`;
  svg.replaceChildren(
    ...flows.map(({ from: [along, across], at, length, className, reach }) => {
      const width = length * scale, side = across < centre ? -1 : 1;
      const target = centre + side * Math.max(0, reach * scale - width) / 2;
      const bend = along + (at - along) * 0.15;
      const d =
        `M${point(along, across)}C${point(bend, target)} ${point(bend, target)} ` +
        point(at + 6, target);
      return svgPath(`flow ${className}`, d, width);
    }),
    svgPath("stream", outline),
  );
};
