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

/** Where a map is greatest, in words, and how great that is. */
export function peak(rows) {
  const greatest = Math.max(...rows.flat());
  const row = rows.findIndex((values) => values.includes(greatest));
  const third = (index, size, names) => names[Math.min(2, Math.floor((3 * index) / size))];
  const down = third(row, rows.length, ["upper", "middle", "lower"]);
  const across = third(rows[row].indexOf(greatest), rows[row].length, ["left", "centre", "right"]);
  return { greatest, where: `${down} ${across}`.replace("middle centre", "middle") };
}
