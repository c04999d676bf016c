// Helpers of several components, put before the code of each.

// Create an element with a class and a text.
const make = (name, className, text = "") => {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
};

// Create a button; screen readers and the tooltip use its label.
const button = (className, text, label, onclick) => {
  const node = make("button", className, text);
  node.type = "button";
  node.title = label;
  node.setAttribute("aria-label", label);
  node.onclick = onclick;
  return node;
};

// Decode base64.
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

// Convert [red, green, blue] to a CSS colour.
const css = (rgb, opacity = 1) => `rgb(${rgb.join(" ")} / ${opacity})`;

// The name of the character at a position: its label and the position from 1.
const named = (labels, at) => `${labels[at]} (${at + 1})`;

// Whether a label is a sign for an invisible character, as in charts/style.py.
const isSign = (label) => "␣⏎⇥".includes(label);

// -1 or 1 for the left or right arrow key, also for up or down if both; undefined otherwise.
const arrow = ({ key }, both = false) =>
  ({ ArrowLeft: -1, ArrowRight: 1, ...(both && { ArrowUp: -1, ArrowDown: 1 }) })[key];

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

// Roving tabindex: only the chosen element can be reached by Tab and has the ARIA state.
const rove = (nodes, chosen, state) =>
  nodes.forEach((node, i) => {
    node.setAttribute(state, String(i === chosen));
    node.tabIndex = i === chosen ? 0 : -1;
  });

// Create a row of radio buttons from [text, value] pairs; a click calls choose(value).
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

// The position (data-at) of the character under the pointer, or null.
const under = (event) => {
  const node = event.target.closest?.("[data-at]");
  return node ? Number(node.dataset.at) : null;
};

// The view of a component in its parent, built again if the page has removed it.
const views = new WeakMap();
const viewOf = (parent, build) => {
  let view = views.get(parent);
  if (!view || !parent.contains(view.root)) {
    view = build(parent);
    views.set(parent, view);
  }
  return view;
};
