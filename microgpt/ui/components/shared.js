// Functions that several components use. They are put before the code of each component.

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

// Copy a text to the clipboard; the button that was pressed says so.
const copyText = async (text, pressed) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard needs https, and permission in a frame of another site, where a prompt is
    // blocked too. The older way needs neither.
    const area = element("textarea", "");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) return prompt("Copy this text:", text);
  }
  pressed.dataset.name ??= pressed.textContent;
  pressed.textContent = "Copied";
  setTimeout(() => (pressed.textContent = pressed.dataset.name), 1500);
};

// Create a button that copies a link to this page; query() returns the link's parameters.
const linkButton = (label, query) => {
  const made = button("tool", "Copy link", label, () => {
    const path = location.pathname.replace(/^\/~\/\+/, ""); // Community Cloud's inner frame
    copyText(`${location.origin}${path}?${new URLSearchParams(query())}`, made);
  });
  return made;
};

// Decode base64.
const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

// Convert [red, green, blue] to a CSS colour.
const cssColour = (rgb, opacity = 1) => `rgb(${rgb.join(" ")} / ${opacity})`;

// The colours in a variable of the theme, each as [red, green, blue].
const themeColours = (node, variable) => {
  const found = getComputedStyle(node).getPropertyValue(variable).matchAll(/#(..)(..)(..)/g);
  return Array.from(found, ([, ...parts]) => parts.map((part) => parseInt(part, 16)));
};

// Relative luminance, as WCAG defines it.
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((part) => {
    const level = part / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
// Black or white, whichever has the higher contrast: at least 4.5 on any colour.
const ink = (rgb) => (luminance(rgb) > 0.179 ? "#000" : "#fff");

// Right-to-left letters and marks, from Hebrew on, and their presentation forms.
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// Wrap a right-to-left text, so that it does not reorder the words around it; see charts/style.py.
const isolated = (text) => (RTL.test(text) ? `\u2068${text}\u2069` : text);

// The name of the character at a position, from 0: its label and its position, from 1.
const positionName = (labels, at) => `${isolated(labels[at])} (${at + 1})`;

// The direction of a line, and of each character in it. This is the core of the bidirectional
// algorithm of Unicode: a character without a direction takes that of its neighbours, or of the
// line if they differ.
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
// Neighbouring cells of one direction are in one element, because boxes do not follow the direction
// of their letters. fill(element, cells, start) puts cells into it; `start` is the position of the
// first.
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

// Fill a node with the cells and lines of a text, and return the cells; make(label, position) makes
// one. Lines break between words, so a word and the space after it, at one of the positions in
// `spaces`, are one element.
const writeWords = (
  node,
  { labels, lines, spaces },
  make = (label) => element("span", "cell", label),
) => {
  const cells = labels.map((label, i) => {
    const cell = make(label, i);
    cell.dataset.at = i;
    return cell;
  });
  const words = (run, part, start) => {
    let word = null;
    part.forEach((cell, i) => {
      if (!word) run.append((word = element("span", "word")));
      word.append(cell);
      if (spaces.includes(start + i)) word = null;
    });
  };
  node.replaceChildren(...paragraphs(labels, cells, lines, words));
  return cells;
};

// Convert a text to nodes; a character that has a sign gets it before it.
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

// Move the focus in a grid of buttons with an arrow key: left and right to the neighbour in the list
// of {cell, row, column}, up and down in the column of `place`, one of the list.
const moveInGrid = (event, cells, place) => {
  const along = arrow(event);
  const across = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  const isNext = ({ row, column }) => row === place.row + across && column === place.column;
  const next = along ? cells[cells.indexOf(place) + along] : across && cells.find(isNext);
  if (!next) return;
  event.preventDefault();
  next.cell.focus();
};

// The badge of a head: the name of its highest score, and the score.
const badgeText = (badge) => `${badge.name} ${badge.score.toFixed(2)}`;
const badgeNode = (badge) => {
  const node = element("span", badge?.strong ? "head-badge" : "head-badge faint");
  // The number stays whole where the badge takes two lines.
  if (badge) node.append(`${badge.name} `, element("span", "score", badge.score.toFixed(2)));
  return node;
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

// The choices of a view that the page keeps, by their names.
const SEND_MS = 400;
const keptChoices = (root, send) => {
  const timers = {}, sent = {}, kept = {}; // `sent`: what the page has not answered yet
  // Send a choice when the visitor has stopped moving. `index`: how the page gives it back.
  const sendLater = (name, value, index = value, wait = SEND_MS) => {
    clearTimeout(timers[name]);
    timers[name] = setTimeout(() => {
      if (!root.isConnected || index === (sent[name] ?? kept[name])) return;
      sent[name] = index;
      send(name, value);
    }, wait);
  };
  // Take what the page keeps; return whether it comes from a link or another control. The answer to
  // a choice that was made here may arrive when the visitor has already made the next one.
  const receive = (name, index) => {
    const isNew = index !== kept[name] && index !== sent[name];
    if (isNew || index === sent[name]) sent[name] = null;
    kept[name] = index;
    return isNew;
  };
  return { sendLater, receive };
};

// The position (data-at) of the character under the pointer, or null.
const positionUnder = (event) => {
  const node = event.target.closest?.("[data-at]");
  return node ? Number(node.dataset.at) : null;
};

// Let the visitor choose one of the characters (data-at) of a text: pointing shows it, and a click, a
// tap, Enter or an arrow key pins it until a second click or Escape. cells(): the elements of the
// characters. start(): the position that is shown at first. show(at, pinned) shows a position; pinned
// is null if none is pinned.
const characterChoice = (text, cells, start, show) => {
  let at = 0, pinned = null;
  const move = (to) => {
    at = to;
    show(at, pinned);
  };
  const pin = (to) => {
    pinned = to;
    move(to ?? start());
  };
  text.onpointerover = (event) => {
    if (pinned === null && positionUnder(event) !== null) move(positionUnder(event));
  };
  text.onpointerleave = () => {
    if (pinned === null) move(start());
  };
  text.onclick = (event) => {
    const under = positionUnder(event);
    if (under !== null) pin(under === pinned ? null : under);
  };
  text.onkeydown = (event) => {
    const step = textArrow(event, cells()[at]);
    if (step) {
      event.preventDefault();
      pin(clamp(at + step, 0, cells().length - 1));
    } else if (event.key === "Enter") {
      pin(at);
    } else if (event.key === "Escape") {
      pin(null);
    }
  };
  // Show the pinned position again, or the first one; `release` also if one is pinned.
  return (release) => pin(release ? null : pinned);
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
