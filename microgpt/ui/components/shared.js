// What several components use; it stands before each component's own code.

// An element with a class and a text.
const make = (name, className, text = "") => {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
};

// A button; its label is read aloud and shown as a tooltip.
const button = (className, text, label, onclick) => {
  const node = make("button", className, text);
  node.type = "button";
  node.title = label;
  node.setAttribute("aria-label", label);
  node.onclick = onclick;
  return node;
};

// The bytes of a text in base 64.
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

// A colour of the palette, of red, green and blue, as CSS.
const css = (rgb, opacity = 1) => `rgb(${rgb.join(" ")} / ${opacity})`;

// The name of the character at a position, counted from 0.
const named = (labels, at) => `${labels[at]} (${at + 1})`;

// Whether a label stands for a character that cannot be seen, as charts/style.py shows them.
const isSign = (label) => "␣⏎⇥".includes(label);

// One step to the left or right, or with both up or down too; undefined for any other key.
const arrow = ({ key }, both = false) =>
  ({ ArrowLeft: -1, ArrowRight: 1, ...(both && { ArrowUp: -1, ArrowDown: 1 }) })[key];

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

// Make exactly one of some elements reachable by the Tab key, and mark it with an ARIA state.
const rove = (nodes, chosen, state) =>
  nodes.forEach((node, i) => {
    node.setAttribute(state, String(i === chosen));
    node.tabIndex = i === chosen ? 0 : -1;
  });

// A row of radio buttons: [text, value] each, of which choose(value) is called for the chosen one.
const radios = (label, className, options, choose) => {
  const root = make("div", `${className}s`);
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
    rove(nodes, now, "aria-checked");
  };
  return { root, show };
};

// The position of the character that an event points at, from its data-at; null without one.
const under = (event) => {
  const node = event.target.closest?.("[data-at]");
  return node ? Number(node.dataset.at) : null;
};

// The view that a component built in its parent, built again where the page has dropped it.
const views = new WeakMap();
const viewOf = (parent, build) => {
  let view = views.get(parent);
  if (!view || !parent.contains(view.root)) {
    view = build(parent);
    views.set(parent, view);
  }
  return view;
};
