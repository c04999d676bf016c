// A text whose characters show their predictions on hover, tap and arrow keys. The numbers come
// packed (see tokens.py). While a text is being written, more of them come in hidden elements of the
// page.
const STEPS_PER_NAT = 2000, NEVER = 65535, STRONG_NATS = 6, PLAY_MS = 140;
const LONGEST_BEFORE = 500; // only the end of a longer prompt is shown
const COLOURS = { none: "Plain", probability: "Probability", surprisal: "Surprisal" };
const LEGENDS = { none: [], probability: ["0", "1"], surprisal: ["0", `${STRONG_NATS}+ nats`] };
const PLAY = "Replay how the text was written";
const numbers = (text) => new Uint16Array(bytes(text).buffer);
const put = async (text, node) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return prompt("Copy this text:", text); // the clipboard needs https
  }
  node.dataset.name ??= node.textContent;
  node.textContent = "Copied";
  setTimeout(() => (node.textContent = node.dataset.name), 1500);
};
const nats = (steps) => (steps === NEVER ? Infinity : steps / STEPS_PER_NAT);
const percent = (p) =>
  p > 0 && p < 5e-5 ? "< 0.01 %" : `${(100 * p).toFixed(p < 0.0995 ? 2 : 1)} %`;

export default function ({ data, parentElement, setTriggerValue }) {
  const view = viewOf(parentElement, build);
  view.pick = (at, token) => setTriggerValue("picked", { name: data.name, at, token });
  view.show(data);
  const turn = (view.turn = {});
  return () => view.turn === turn && view.stop();
}

function build(parentElement) {
  const root = make("div", "tokens");
  const bar = make("div", "bar");
  const options = Object.entries(COLOURS).map(([name, title]) => [title, name]);
  const colours = radios("Colour by", "colour", options, (name) => choose(name));
  const legend = make("div", "legend");
  legend.append(make("span", "low"), make("span", "ramp"), make("span", "high"));
  const copy = button("tool", "Copy", "Copy the text", () => {
    put(data.before + text.textContent, copy);
  });
  const share = button("tool", "Copy link", "Copy a link to this text and its settings", () => {
    const path = location.pathname.replace(/^\/~\/\+/, ""); // Community Cloud's inner frame
    put(`${location.origin}${path}?${new URLSearchParams(data.link)}`, share);
  });
  const tools = make("div", "tools");
  tools.append(copy, share);
  bar.append(colours.root, legend, tools);
  const page = make("pre", "page");
  page.tabIndex = 0;
  page.setAttribute("role", "group");
  page.setAttribute("aria-label", "The text; arrow keys move from character to character");
  const before = make("span", "before"), text = make("span", "text"), caret = make("span", "caret");
  page.append(before, text, caret);
  const card = make("aside", "card");
  card.setAttribute("aria-live", "polite");
  const [head, facts, bars, key] = ["head", "facts", "bars", "key"].map((name) => make("div", name));
  key.append(make("span", "drawn"), "after the settings", make("span", "model"), "model");
  const play = make("div", "play");
  card.append(head, facts, bars, key, play);
  const close = button("close", "✕", "Release this character", () => leave());
  const body = make("div", "body");
  body.append(page, card);
  root.append(bar, body);
  parentElement.appendChild(root);

  let data = null, characters = [], width = 0, table = new Uint16Array(0), colour = null, chosen = null;
  let at = null, playing = null, observer = null;
  const count = () => text.childNodes.length;
  const row = (i) => table.subarray(i * width, (i + 1) * width);
  const label = (id) => data.labels[id] ?? "";

  const [first, back, go, next, last] = [
    ["«", "Go to the first character", () => jump(0)],
    ["‹", "Go to the previous character", () => jump((at ?? count()) - 1)],
    ["▶", PLAY, () => (playing ? pause() : start())],
    ["›", "Go to the next character", () => jump((at ?? -1) + 1)],
    ["»", "Go to the last character", () => jump(count() - 1)],
  ].map(([sign, title, act]) => button("tool", sign, title, act));
  play.append(first, back, go, next, last);

  function show(fresh) {
    const other = !data || data.name !== fresh.name;
    data = fresh;
    width = 6 + 2 * data.alternatives;
    if (other) {
      // A new text was requested, so scroll to it.
      if (table.length && fresh.live) root.scrollIntoView({ block: "nearest", behavior: "smooth" });
      pause();
      text.replaceChildren();
      table = new Uint16Array(0);
      at = chosen = null;
      root.classList.remove("replay");
    }
    characters = [...data.characters];
    const long = data.before.length > LONGEST_BEFORE;
    before.textContent = long ? `…${data.before.slice(-LONGEST_BEFORE)}` : data.before;
    if (data.mark === -1) {
      const signs = [...before.textContent];
      before.replaceChildren(signs.slice(0, -1).join(""), make("span", "mark", signs.at(-1)));
    }
    colour ??= data.colour === "none" ? sessionStorage.microgptColour ?? "none" : data.colour;
    take(0, data.records);
    observer?.disconnect();
    observer = null;
    if (data.live) {
      observer = new MutationObserver(read);
      observer.observe(document.body, {
        childList: true,
        subtree: true,
        attributes: true,
        attributeFilter: ["data-records"],
      });
      read();
    }
    root.classList.toggle("live", data.live);
    share.hidden = !data.link;
    for (const [i, node] of text.childNodes.entries()) {
      node.classList.toggle("mark", i === data.mark);
    }
    paint(colour);
    inspect(at);
  }

  function read() {
    for (const node of document.querySelectorAll(`[data-microgpt-feed="${data.name}"]`)) {
      take(Number(node.dataset.from), node.dataset.records);
    }
  }

  // Add the records of the characters from `from` on, unless they are known.
  function take(from, records) {
    const known = count(), end = from + (records.length * 3) / 4 / 2 / width;
    if (from > known || end <= known) return;
    const rows = numbers(records);
    const grown = new Uint16Array(end * width);
    grown.set(table);
    grown.set(rows, from * width);
    table = grown;
    const low = page.scrollHeight - page.scrollTop - page.clientHeight < 40;
    const nodes = [];
    for (let i = known; i < end; i++) {
      const char = characters[row(i)[0]];
      const node = make("span", char === "\n" ? "char line" : "char", char);
      node.dataset.at = i;
      tint(node, i);
      nodes.push(node);
    }
    text.append(...nodes);
    if (data.live && low) page.scrollTop = page.scrollHeight;
    if (at === null) inspect(null);
  }

  function tint(node, i) {
    if (colour === "none" || !colour) return node.style.removeProperty("--share");
    const surprisal = nats(row(i)[3]);
    const share = colour === "surprisal" ? Math.min(1, surprisal / STRONG_NATS) : Math.exp(-surprisal);
    node.style.setProperty("--share", `${Math.round(100 * share)}%`);
  }

  function choose(name) {
    sessionStorage.microgptColour = name;
    paint(name);
  }

  function paint(name) {
    colour = name;
    root.dataset.colour = name;
    colours.show(name);
    const [low = "", high = ""] = LEGENDS[name];
    legend.firstChild.textContent = low;
    legend.lastChild.textContent = high;
    text.childNodes.forEach(tint);
  }

  // Show what the model predicted at character i.
  function inspect(i) {
    const shown = i === null || i >= count() ? null : i;
    card.classList.toggle("empty", shown === null);
    if (shown === null) {
      head.replaceChildren(make("span", "hint", "Point at a character or tap it"));
      facts.textContent = "to see what the model predicted there.";
      bars.replaceChildren();
      key.hidden = true;
      return;
    }
    const record = row(shown), [id, rank, kept] = record;
    const p = Math.exp(-nats(record[3])), drawn = Math.exp(-nats(record[4]));
    head.replaceChildren(
      make("span", "sign", label(id)),
      make("span", "where", `character ${shown + 1} of ${count()}`),
      ...(chosen === null ? [] : [close]),
    );
    const lines = [
      `probability ${percent(p)} · rank ${rank} of ${data.labels.length}`,
      `surprisal ${nats(record[3]).toFixed(2)} nats · entropy ${nats(record[5]).toFixed(2)} nats`,
    ];
    if (data.temperature !== null) {
      lines.push(`after the settings ${percent(drawn)} · ${kept} possible characters`);
    }
    key.hidden = data.temperature === null;
    facts.replaceChildren(...lines.map((line) => make("div", "fact", line)));
    const k = data.alternatives;
    const rows = [];
    for (let j = 0; j < k; j++) {
      const other = record[6 + j];
      if (other === NEVER) continue;
      const before = Math.exp(-nats(record[6 + k + j]));
      let after = null;
      if (data.temperature !== null) {
        const warm = data.temperature ? (p && before ? (before / p) ** (1 / data.temperature) : 0) : 1;
        after = j < kept ? Math.min(1, drawn * warm) : 0;
      }
      rows.push(guess(shown, other, before, after, other === id));
    }
    bars.replaceChildren(...rows);
  }

  function guess(i, id, before, after, taken) {
    const can = data.picks && data.temperature !== null && !data.live && !taken;
    const name = `Continue with ${label(id)} instead`;
    const node = can ? button("guess", "", name, () => view.pick(i, id)) : make("div", "guess");
    node.classList.toggle("taken", taken);
    const track = make("span", "track");
    const [model, drawn] = [make("span", "model"), make("span", "drawn")];
    model.style.width = `${100 * before}%`;
    drawn.style.width = `${100 * (after ?? before)}%`;
    track.append(drawn, model);
    const share = after ?? before;
    node.append(make("span", "name", label(id)), track, make("span", "share", percent(share)));
    if (can) node.append(make("span", "branch", "↳"));
    return node;
  }

  function mark(i, name) {
    text.querySelector(`.${name}`)?.classList.remove(name);
    if (i !== null) text.childNodes[i]?.classList.add(name);
  }

  function move(i) {
    at = i;
    mark(i, "at");
    inspect(i);
  }

  function jump(i) {
    pause();
    step(clamp(i, 0, count() - 1));
  }

  function step(i) {
    if (!count()) return;
    chosen = i;
    move(i);
    // On a narrow screen the card covers the text; keep the character above it.
    const covers = getComputedStyle(card).bottom === "0px";
    text.childNodes[i].style.scrollMarginBottom = covers ? `${card.offsetHeight + 8}px` : "";
    text.childNodes[i].scrollIntoView({ block: "nearest" });
  }

  function leave() {
    pause();
    chosen = null;
    move(null);
  }

  function start() {
    if (!count()) return;
    root.classList.add("replay");
    let i = chosen === null || chosen >= count() - 1 ? 0 : chosen;
    retitle(go, "❚❚", "Pause");
    const tick = () => {
      step(i);
      text.childNodes.forEach((node, j) => node.classList.toggle("future", j > i));
      if (++i >= count()) pause();
    };
    playing = setInterval(tick, PLAY_MS);
    tick();
  }

  function retitle(node, sign, title) {
    node.textContent = sign;
    node.title = title;
    node.setAttribute("aria-label", title);
  }

  function pause() {
    clearInterval(playing);
    playing = null;
    retitle(go, "▶", PLAY);
    root.classList.remove("replay");
  }

  text.onpointerover = (event) => {
    if (!playing && under(event) !== null) move(under(event));
  };
  text.onpointerleave = () => {
    if (!playing) move(chosen);
  };
  text.onclick = (event) => {
    const i = under(event);
    if (i === null || String(getSelection())) return;
    jump(i);
    if (data.picks && !data.live) view.pick(i, null);
  };
  page.onkeydown = (event) => {
    const i = chosen ?? -1;
    const to = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: count() - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      jump(to);
    } else if (event.key === "Enter" && chosen !== null && data.picks && !data.live) {
      view.pick(chosen, null);
    } else if (event.key === "Escape") {
      leave();
    }
  };

  const view = {
    root,
    show,
    stop: () => {
      pause();
      observer?.disconnect();
    },
  };
  return view;
}
