// What the page asks of the server that it came from.

/** A problem that the server told, or that it could not be reached. */
export class Problem extends Error {}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("The server cannot be reached.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Problem(told.detail ?? `The server answered ${response.status}.`);
}

function post(path, image, signal) {
  // An empty type would be one that the server does not allow.
  const headers = { "Content-Type": image.type.startsWith("image/") ? image.type : "application/octet-stream" };
  return ask(path, { method: "POST", body: image, headers, signal }).then((response) => response.json());
}

export const model = () => ask("/v1/model").then((response) => response.json());

export const sample = (url) => ask(url).then((response) => response.blob());

/** The prediction of one image, with the pixels that the model saw; `asIs` to have nothing guessed about it. */
export const predict = (image, asIs, signal) =>
  post(`/v1/predict?pixels=true&as_is=${asIs}`, image, signal).then((answer) => answer.predictions[0]);

/** Which part of the image mattered for a class. */
export const explain = (image, name, asIs, signal) =>
  post(`/v1/explain?class=${encodeURIComponent(name)}&as_is=${asIs}`, image, signal);
