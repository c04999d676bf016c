// Helpers that several components use. They are put before the code of each component.

// Create an element with a class and a text.
const element = (name, className, text = "") => {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
};

// Create a button. Its label is the tooltip and what a screen reader says.
const button = (className, text, label, onclick) => {
  const node = element("button", className, text);
  node.type = "button";
  node.title = label;
  node.setAttribute("aria-label", label);
  node.onclick = onclick;
  return node;
};

// Decode base64.
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

// Convert [red, green, blue] to a CSS colour.
const cssColour = (rgb, opacity = 1) => `rgb(${rgb.join(" ")} / ${opacity})`;

// Right-to-left letters and marks, from Hebrew on, and their presentation forms.
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// Keep the order of the words around a right-to-left text, as in charts/style.py.
const isolated = (text) => (RTL.test(text) ? `\u2068${text}\u2069` : text);

// The name of the character at a position, from 0: its label and its position, from 1.
const positionName = (labels, at) => `${isolated(labels[at])} (${at + 1})`;

// The direction of a line, and of each character in it. This is the core of the bidirectional
// algorithm of Unicode: a character without a direction has that of its neighbours, or of the line.
const directions = (labels) => {
  const own = labels.map((label) => {
    if (/\p{N}/u.test(label)) return "number";
    return RTL.test(label) ? "rtl" : /\p{L}/u.test(label) ? "ltr" : null;
  });
  const line = own.find((each) => each === "ltr" || each === "rtl") ?? "ltr";
  const known = own.map((each) => (each === "number" ? "ltr" : each));
  const filled = (list) => {
    let last = line;
    return list.map((each) => (last = each ?? last));
  };
  const before = filled(known), after = filled([...known].reverse()).reverse();
  return { line, each: known.map((_, i) => (before[i] === after[i] ? before[i] : line)) };
};

// Put the cells of a text, one for each label, in lines that end after the positions in `ends`.
// The cells of a direction are in one element, because boxes do not follow the direction of their
// letters. fill(element, cells, start) puts cells into it; `start` is the position of the first.
const paragraphs = (labels, cells, ends, fill = (node, part) => node.append(...part)) => {
  const nodes = [], last = new Set(ends).add(labels.length - 1);
  let start = 0;
  for (let i = 0; i < labels.length; i++) {
    if (!last.has(i)) continue;
    const { line, each } = directions(labels.slice(start, i + 1));
    const paragraph = element("div", "paragraph");
    paragraph.dir = line;
    for (let from = 0, to = 1; from < each.length; to++) {
      if (each[to] === each[from]) continue;
      const run = element("span", "run");
      run.dir = each[from];
      fill(run, cells.slice(start + from, start + to), start + from);
      paragraph.append(run);
      from = to;
    }
    nodes.push(paragraph);
    start = i + 1;
  }
  return nodes;
};

// Convert a text to nodes, with the sign of each character that has one before it.
const signed = (text, signs) => {
  const nodes = [""];
  for (const char of text) {
    if (char in signs) nodes.push(signNode(char, signs), "");
    else nodes[nodes.length - 1] += char;
  }
  return nodes;
};
const signNode = (char, signs, className = "") => {
  const node = element("span", `${className} sign-before`, char);
  node.dataset.sign = signs[char];
  return node;
};

// -1 or 1 for the left or right arrow key, and for up or down if `both`; otherwise undefined.
const arrow = ({ key }, both = false) =>
  ({ ArrowLeft: -1, ArrowRight: 1, ...(both && { ArrowUp: -1, ArrowDown: 1 }) })[key];

// The same for a position in a text: in right-to-left text, the left arrow key goes forward.
const textArrow = (event, node) => {
  const step = arrow(event);
  return step && getComputedStyle(node).direction === "rtl" ? -step : step;
};

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

// Roving tabindex: the Tab key reaches only the chosen element, which has the ARIA state.
const setRovingTabindex = (nodes, chosen, state) =>
  nodes.forEach((node, i) => {
    node.setAttribute(state, String(i === chosen));
    node.tabIndex = i === chosen ? 0 : -1;
  });

// Create a row of radio buttons from [text, value] pairs; a click calls choose(value).
const radios = (label, className, options, choose) => {
  const root = element("div", `${className}s`);
  root.setAttribute("role", "radiogroup");
  root.setAttribute("aria-label", label);
  const nodes = options.map(([text, value]) => {
    const radio = button(className, text, `${label}: ${text}`, () => choose(value));
    radio.setAttribute("role", "radio");
    return radio;
  });
  root.append(...nodes);
  let now = 0;
  root.onkeydown = (event) => {
    const step = arrow(event, true);
    if (!step) return;
    event.preventDefault();
    const next = (now + step + nodes.length) % nodes.length;
    choose(options[next][1]);
    nodes[next].focus();
  };
  const show = (value) => {
    now = options.findIndex(([, each]) => each === value);
    setRovingTabindex(nodes, now, "aria-checked");
  };
  return { root, show };
};

// The position (data-at) of the character under the pointer, or null.
const positionUnder = (event) => {
  const node = event.target.closest?.("[data-at]");
  return node ? Number(node.dataset.at) : null;
};

// The view of a component in its parent element, built again if the page has removed it.
const views = new WeakMap();
const viewOf = (parent, build) => {
  let view = views.get(parent);
  if (!view || !parent.contains(view.root)) {
    view = build(parent);
    views.set(parent, view);
  }
  return view;
};
