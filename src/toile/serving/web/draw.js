// The drawing area, for fingers, mice and keys.

const STEP = 6; // pixels that an arrow key moves the brush
const KEPT = 30; // strokes that can be undone

/** `ink` on `ground`, and `drawn(blob)` after each stroke; with null when the area is empty again. */
export function drawing(canvas, { ink, ground, brush, drawn }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const before = [];
  const cursor = { x: canvas.width / 2, y: canvas.height / 2, down: false, shown: false };
  let last = null;

  function wipe() {
    context.fillStyle = ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  function begin(point) {
    before.push(context.getImageData(0, 0, canvas.width, canvas.height));
    if (before.length > KEPT) before.shift();
    last = point;
    stroke(point);
  }

  function stroke(point) {
    Object.assign(context, { strokeStyle: ink, lineWidth: brush(), lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(last.x, last.y);
    context.lineTo(point.x, point.y);
    context.stroke();
    last = point;
  }

  function end() {
    if (last === null) return;
    last = null;
    canvas.toBlob(drawn, "image/png");
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * canvas.width,
      y: ((event.clientY - box.top) / box.height) * canvas.height,
    };
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    begin(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last === null) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) stroke(place(one));
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);

  const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      cursor.down = !cursor.down;
      if (cursor.down) begin({ ...cursor });
      else end();
    } else if (moves[event.key]) {
      const [x, y] = moves[event.key];
      cursor.x = Math.min(canvas.width, Math.max(0, cursor.x + x));
      cursor.y = Math.min(canvas.height, Math.max(0, cursor.y + y));
      if (cursor.down) stroke({ ...cursor });
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => {
    cursor.down = false;
    end();
  });

  wipe();
  return {
    undo() {
      const image = before.pop();
      if (!image) return;
      context.putImageData(image, 0, 0);
      canvas.toBlob((blob) => drawn(before.length ? blob : null), "image/png");
    },
    clear() {
      before.length = 0;
      wipe();
      drawn(null);
    },
  };
}
