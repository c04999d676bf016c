// A number in a text: three digits or more, with a true minus sign.
const numberText = (value) => {
  const size = Math.abs(value);
  let text = size.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1);
  if (size > 0 && size < 0.0005) text = size.toExponential(1).replace("-", "−");
  return `${value < 0 ? "−" : ""}${text}`;
};
const percentText = (share) => {
  const size = Math.abs(100 * share);
  const text = size.toFixed(size < 9.95 ? 1 : 0);
  return `${share < 0 && Number(text) ? "−" : ""}${text} %`;
};

// The panel that shows how a number came about.
const explanationPanel = () => {
  const root = element("section", "explanation");
  root.setAttribute("aria-label", "How this number came about");
  const head = element("div", "explanation-head");
  const value = element("output", "value"), title = element("span", "number-title");
  const formula = element("span", "formula"), hint = element("span", "state");
  const strips = element("div", "strips"), terms = element("div", "terms");
  title.setAttribute("aria-live", "polite");
  head.append(title, element("span", "equals", "="), value, formula, hint);
  root.append(head, strips, terms);

  const strip = (name, values, listed) => {
    const row = element("div", "strip"), canvas = element("canvas", "cells");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name}: ${values.length} numbers`);
    drawCells(canvas, values, values.length, signedColours(values));
    row.append(element("span", "strip-name", name), canvas);
    return row;
  };

  function term(label, factors, product, largest, sign) {
    const node = element("div", "term");
    const bar = element("span", "bar");
    bar.style.background = cssColour(product < 0 ? BELOW_0 : ABOVE_0);
    bar.style.width = `${largest ? (100 * Math.abs(product)) / largest : 0}%`;
    const number = element("span", "product", numberText(product));
    node.append(element("span", "term-label", label), number, element("span", "factors", factors));
    node.append(bar);
    if (sign) node.dataset.sign = sign;
    return node;
  }

  // Of the scale that multiplies every product, as a divisor.
  const divisorText = (scale) => (scale === 1 ? "" : ` / ${Number((1 / scale).toPrecision(4))}`);

  return {
    root,
    // Show an explanation; if it is not there yet, show only what the number is.
    show(found, pinned) {
      root.classList.toggle("waiting", !found);
      hint.textContent = pinned ? "pinned; press Escape to release it" : "";
      if (!found) return;
      title.textContent = found.title;
      value.textContent = numberText(found.value);
      const named = (found.named ?? []).map(([name, number]) => `${name} ${numberText(number)}`);
      formula.textContent = [found.formula, ...named].join(" · ");
      const others = found.rest ? [found.rest[1]] : [];
      const constants = found.constant === null ? [] : [found.constant];
      const products = found.terms.map((each) => each[3]);
      const largest = Math.max(...[...products, ...others, ...constants].map(Math.abs));
      const nodes = found.terms.map(([label, left, right, product], i) => {
        const factors =
          right === null ? "" : `${numberText(left)} × ${numberText(right)}${divisorText(found.scale)}`;
        return term(label, factors, product, largest, i ? "+" : "");
      });
      if (found.rest) {
        const [count, sum] = found.rest;
        nodes.push(term(`${count} other${count > 1 ? "s" : ""}`, "", sum, largest, "+"));
      }
      if (found.constant !== null) nodes.push(term("bias", "", found.constant, largest, "+"));
      const total = element("div", "term total");
      total.dataset.sign = "=";
      total.append(element("span", "term-label", "sum"));
      total.append(element("span", "product", numberText(found.total)));
      const then = {
        root: () => `square root → ${numberText(found.value)}`,
        share: () => `${numberText(found.of)} / ${numberText(found.total)} = ${numberText(found.value)}`,
        "": () => "",
      }[found.then]?.() ?? `${found.then} → ${numberText(found.value)}`; // an activation function
      total.append(element("span", "factors", then));
      terms.replaceChildren(...nodes, total);
      strips.hidden = !found.strips;
      if (!found.strips) return;
      const [left, right] = found.strips.map((each) => new Float32Array(bytes(each).buffer));
      const both = left.map((each, i) => each * right[i]);
      strips.replaceChildren(
        strip(found.left, left), strip(`× ${found.right}`, right), strip("= terms", both),
      );
    },
  };
};
