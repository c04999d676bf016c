// The value that has the full colour: few values, such as outliers, are beyond it.
const colourLimit = (values) => {
  const sizes = [...values].map(Math.abs).filter(Boolean).sort((a, b) => a - b);
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || 1;
};

// [red, green, blue, opacity] of each value: blue below 0, orange above.
const signedColours = (values) => {
  const limit = colourLimit(values);
  return (value) => [...(value < 0 ? BELOW_0 : ABOVE_0), Math.min(1, Math.abs(value) / limit)];
};

// The number of columns of a grid whose width is about `ratio` times its height, and not much less. If
// possible, the last row is full.
const gridColumns = (count, ratio) => {
  const wanted = Math.sqrt(count * ratio);
  const distance = (columns) => Math.abs(Math.log(columns / wanted));
  const isFull = (columns) => count % columns === 0 && columns ** 2 >= 0.8 * ratio * count;
  const full = Array.from({ length: count }, (_, i) => i + 1).filter(isFull);
  const best = full.reduce((one, other) => (distance(other) < distance(one) ? other : one), count);
  return distance(best) < 0.7 ? best : Math.ceil(wanted);
};

// The largest of each of at most `most` groups of neighbouring values: a canvas that is narrower than
// its number of columns leaves some of them out.
const largestOfGroups = (values, most) => {
  const count = Math.min(values.length, most), found = new Array(count).fill(0);
  values.forEach((value, i) => {
    const group = Math.floor((i * count) / values.length);
    found[group] = Math.max(found[group], value);
  });
  return found;
};

// Draw values as one pixel each, in rows of `columns`; the style of the canvas enlarges them.
const drawCells = (canvas, values, columns, colour) => {
  canvas.width = columns;
  canvas.height = Math.ceil(values.length / columns);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const [red, green, blue, opacity] = colour(value);
    image.data.set([red, green, blue, Math.round(255 * opacity)], 4 * i);
  });
  context.putImageData(image, 0, 0);
};

// A grid of numbers. Pointing at a cell, a tap, and the arrow keys call point(index).
const numberGrid = (point) => {
  const root = element("div", "numbers");
  const canvas = element("canvas", "cells"), mark = element("span", "mark");
  let count = 0, columns = 1, at = 0;
  mark.hidden = true;
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.append(canvas, mark);

  const place = () => {
    const rows = Math.ceil(count / columns);
    mark.style.left = `${(100 * (at % columns)) / columns}%`;
    mark.style.top = `${(100 * Math.floor(at / columns)) / rows}%`;
    mark.style.width = `${100 / columns}%`;
    mark.style.height = `${100 / rows}%`;
  };
  const choose = (index) => {
    at = clamp(index, 0, count - 1);
    point(at);
  };
  const under = (event) => {
    const area = canvas.getBoundingClientRect(), rows = Math.ceil(count / columns);
    const column = Math.floor(((event.clientX - area.left) / area.width) * columns);
    const row = Math.floor(((event.clientY - area.top) / area.height) * rows);
    return clamp(row, 0, rows - 1) * columns + clamp(column, 0, columns - 1);
  };
  root.onpointermove = root.onpointerdown = (event) => choose(under(event));
  root.onfocus = () => root.matches(":focus-visible") && choose(at);
  root.onkeydown = (event) => {
    const by = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -count, End: count,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose(at + by);
  };
  return {
    root,
    // drawn: the colours of a single row, if these are not one for each value.
    show(label, values, width, colour, drawn = null) {
      root.setAttribute("aria-label", `${label}; arrow keys move from number to number`);
      [count, columns] = [values.length, width];
      at = Math.min(at, count - 1);
      root.style.setProperty("--columns", columns);
      root.style.setProperty("--rows", Math.ceil(count / columns));
      drawCells(canvas, drawn ?? values, drawn?.length ?? columns, colour);
      place();
    },
    // Mark a cell; null for none.
    mark(index) {
      mark.hidden = index === null;
      if (index === null) return;
      at = index;
      place();
    },
  };
};
