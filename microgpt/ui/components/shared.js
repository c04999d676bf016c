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

// The name of the character at a position, from 0: its label and its position, from 1.
const positionName = (labels, at) => `${labels[at]} (${at + 1})`;

// Whether a label is the visible sign of an invisible character, as in charts/style.py.
const isVisibleSign = (label) => "␣⏎⇥".includes(label);

// -1 or 1 for the left or right arrow key, and for up or down if `both`; otherwise undefined.
const arrow = ({ key }, both = false) =>
  ({ ArrowLeft: -1, ArrowRight: 1, ...(both && { ArrowUp: -1, ArrowDown: 1 }) })[key];

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
