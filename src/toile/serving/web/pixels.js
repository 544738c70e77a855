// Images and maps of a few pixels, drawn as they are.

function paint(canvas, rows, colour) {
  canvas.height = rows.length;
  canvas.width = rows[0].length;
  const image = new ImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, index) => image.data.set(colour(value), 4 * index));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Rows of pixels of channels, 0..255. */
export function picture(canvas, rows) {
  paint(canvas, rows, (pixel) => (pixel.length === 1 ? [pixel[0], pixel[0], pixel[0], 255] : [...pixel, 255]));
}

/** Rows of numbers: orange above 0, blue below, the stronger the farther; as strong as can be at the farthest. */
export function heat(canvas, rows) {
  const most = Math.max(1e-6, ...rows.flat().map(Math.abs));
  paint(canvas, rows, (value) => {
    const strength = Math.round(170 * Math.sqrt(Math.abs(value) / most));
    return value > 0 ? [240, 128, 48, strength] : [59, 130, 214, strength];
  });
}

/** Of the nine parts of a map the one with the greatest mean, in words, and that mean. */
export function peak(rows) {
  const third = (index, size) => Math.min(2, Math.floor((3 * index) / size));
  const parts = Array.from({ length: 9 }, () => []);
  rows.forEach((row, y) => row.forEach((value, x) => parts[3 * third(y, rows.length) + third(x, row.length)].push(value)));
  const means = parts.map((values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length));
  const part = means.indexOf(Math.max(...means));
  const names = ["upper left", "upper centre", "upper right", "left", "middle", "right", "lower left", "lower centre", "lower right"];
  return { mean: means[part], where: names[part] };
}
