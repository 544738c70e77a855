// Photos of a phone are larger than a server should have to read, for a model that sees a few hundred pixels.

const EDGE = 1024;

/** The picture, made smaller where the limits ask for it, and a sentence on what was done. */
export async function shrink(file, limits) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return { image: file, done: "" }; // a format that only the server knows, or no picture: the server says which
  }
  const { width, height } = bitmap;
  if (width * height <= limits.pixels && Math.max(width, height) <= limits.side && file.size <= limits.body) {
    bitmap.close();
    return { image: file, done: "" };
  }
  const scale = Math.min(1, EDGE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const image = await new Promise((done) => canvas.toBlob(done, "image/png"));
  return { image, done: `made smaller in the browser, from ${width} x ${height} to ${canvas.width} x ${canvas.height}` };
}
