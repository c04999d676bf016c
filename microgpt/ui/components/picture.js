// The picture of a view as an SVG file: what is on the page, with its boxes, texts and curves.
const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 16;
const SHAPE_STYLES = [
  ...["stroke-width", "stroke-dasharray", "stroke-linejoin", "vector-effect", "paint-order"],
  ...["text-anchor", "font-family", "font-size", "font-weight"],
];
const svgNode = (name, attributes, ...content) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...content);
  return node;
};
// Other programs know only rgb(), so convert the browser's color(srgb …) to it.
const plainColour = (text) => {
  const [red, green, blue, opacity = 1] = text.match(/[\d.]+(?:e-?\d+)?/g).map(Number);
  const scale = text.startsWith("color") ? 255 : 1;
  return { rgb: `rgb(${[red, green, blue].map((part) => Math.round(scale * part))})`, opacity };
};

const savePicture = (root, fileName) => {
  const page = root.getBoundingClientRect();
  const size = { width: page.width + 2 * MARGIN, height: page.height + 2 * MARGIN };
  const viewBox = [-MARGIN, -MARGIN, size.width, size.height].join(" ");
  const picture = svgNode("svg", { ...size, viewBox });
  let gradients = 0;

  const place = ({ left, top, width, height }) => ({ x: left - page.left, y: top - page.top, width, height });
  const rectangle = (box, attributes) => picture.append(svgNode("rect", { ...box, ...attributes }));

  // The background, the border and the outline of an element.
  function drawBox(box, style, opacity) {
    const ground = plainColour(style.backgroundColor);
    const round = style.borderTopLeftRadius;
    const rx = round.endsWith("%") ? (parseFloat(round) / 100) * box.width : parseFloat(round);
    if (ground.opacity) {
      rectangle(box, { rx, fill: ground.rgb, "fill-opacity": ground.opacity * opacity });
    }
    const stops = style.backgroundImage.match(/rgba?\([^)]*\)/g);
    if (stops) {
      const id = `gradient-${(gradients += 1)}`;
      const marks = stops.map((each, i) => {
        const { rgb } = plainColour(each);
        return svgNode("stop", { offset: i / (stops.length - 1), "stop-color": rgb });
      });
      picture.append(svgNode("linearGradient", { id }, ...marks));
      rectangle(box, { fill: `url(#${id})` });
    }
    if (parseFloat(style.borderTopWidth)) {
      const { rgb, opacity: own } = plainColour(style.borderTopColor);
      rectangle(box, { rx, fill: "none", stroke: rgb, "stroke-opacity": own * opacity });
    }
    for (const [side, x, y, width, height] of [
      ["Left", 0, 0, 1, box.height],
      ["Bottom", 0, box.height - 1, box.width, 1],
    ]) {
      if (!parseFloat(style[`border${side}Width`]) || parseFloat(style.borderTopWidth)) continue;
      const { rgb, opacity: own } = plainColour(style[`border${side}Color`]);
      const line = { x: box.x + x, y: box.y + y, width, height };
      rectangle(line, { fill: rgb, "fill-opacity": own * opacity });
    }
    if (style.outlineStyle === "solid") {
      const stroke = plainColour(style.outlineColor).rgb;
      rectangle(box, { fill: "none", stroke, "stroke-width": parseFloat(style.outlineWidth) });
    }
  }

  // The short line before the name of a curve.
  function drawMark(box, style, opacity) {
    const [width, height] = [style.width, style.height].map(parseFloat);
    const mark = { x: box.x, y: box.y + (box.height - height) / 2, width, height };
    rectangle(mark, { fill: plainColour(style.backgroundColor).rgb, "fill-opacity": opacity });
  }

  // A text, one element for each of its lines.
  function drawText(node, style, opacity) {
    const range = document.createRange();
    let line = null;
    [...node.data].reduce((at, char) => {
      range.setStart(node, at);
      range.setEnd(node, at + char.length);
      const box = range.getBoundingClientRect();
      if (box.width && (!line || Math.abs(box.top - line.box.top) > box.height / 2)) {
        line = { box, node: textNode(place(box), style, opacity) };
      }
      if (box.width) {
        line.node.textContent += char;
        line.node.setAttribute("textLength", box.right - line.box.left);
      }
      return at + char.length;
    }, 0);
  }

  function textNode(box, style, opacity) {
    const { rgb, opacity: own } = plainColour(style.color);
    const node = svgNode("text", {
      x: box.x,
      y: box.y + box.height / 2,
      "dominant-baseline": "central",
      "font-family": style.fontFamily,
      "font-size": style.fontSize,
      "font-weight": style.fontWeight,
      fill: rgb,
      "fill-opacity": own * opacity,
      // The width stays the same if another program lacks the font.
      lengthAdjust: "spacingAndGlyphs",
      "xml:space": "preserve",
    });
    picture.append(node);
    return node;
  }

  // A drawing of the page: copies of its shapes and texts, with the styles that they have here.
  function drawShapes(svg, box, opacity) {
    const shapes = [...svg.querySelectorAll("path, line, polyline, circle, text")].map((shape) => {
      const style = getComputedStyle(shape), copy = shape.cloneNode(true);
      for (const name of ["class", "style"]) copy.removeAttribute(name);
      for (const name of SHAPE_STYLES) copy.setAttribute(name, style.getPropertyValue(name));
      for (const name of ["fill", "stroke"]) {
        if (style[name] === "none") copy.setAttribute(name, "none");
        else {
          const colour = plainColour(style[name]);
          copy.setAttribute(name, colour.rgb);
          copy.setAttribute(`${name}-opacity`, colour.opacity);
        }
      }
      copy.setAttribute("opacity", opacity * style.opacity);
      return copy;
    });
    const frame = { overflow: "visible" };
    for (const name of ["viewBox", "preserveAspectRatio"]) {
      if (svg.hasAttribute(name)) frame[name] = svg.getAttribute(name);
    }
    picture.append(svgNode("svg", { ...box, ...frame }, ...shapes));
  }

  function draw(node, opacity) {
    const style = getComputedStyle(node), box = place(node.getBoundingClientRect());
    if (node.matches("input, .tool, .play") || !box.width || !box.height || style.visibility === "hidden") return;
    opacity *= style.opacity;
    if (node instanceof SVGElement) return drawShapes(node, box, opacity);
    drawBox(box, style, opacity);
    if (node.matches(".curve-mark")) drawMark(box, getComputedStyle(node, "::before"), opacity);
    if (node instanceof HTMLCanvasElement) {
      const image = { href: node.toDataURL(), preserveAspectRatio: "none" };
      picture.append(svgNode("image", { ...box, ...image, style: "image-rendering: pixelated" }));
    } else if (node instanceof HTMLSelectElement) {
      const chosen = textNode({ ...box, x: box.x + 4 }, style, opacity);
      chosen.textContent = node.selectedOptions[0].textContent;
    } else {
      for (const each of node.childNodes) {
        if (each instanceof Text) drawText(each, style, opacity);
        else draw(each, opacity);
      }
    }
  }

  const [ground = [255, 255, 255]] = themeColours(root, "--st-background-color");
  rectangle({ x: -MARGIN, y: -MARGIN, ...size }, { fill: `rgb(${ground})` });
  draw(root, 1);
  const content = new XMLSerializer().serializeToString(picture);
  const link = element("a", "");
  link.href = URL.createObjectURL(new Blob([content], { type: "image/svg+xml" }));
  link.download = fileName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
};
