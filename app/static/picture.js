// Pictures: made small enough in the browser, packed into one binary frame and unpacked from one.
//
// A frame is two bytes with the length of a JSON header, big-endian, the header, then the picture.

const MAX_BYTES = 256 * 1024;
const MAX_SIDE = 1280;
const MIME = "image/jpeg";

// Returns a JPEG of the file as a Blob of at most MAX_BYTES; throws if it is not a picture.
export async function shrink(file) {
  const bitmap = await createImageBitmap(file);
  try {
    let side = MAX_SIDE;
    for (const quality of [0.86, 0.75, 0.6, 0.6, 0.5]) {
      const blob = await encode(bitmap, side, quality);
      if (blob && blob.size <= MAX_BYTES) return blob;
      side *= 0.8;
    }
  } finally {
    bitmap.close();
  }
  throw new Error("the picture stays too big");
}

async function encode(bitmap, maxSide, quality) {
  const scale = Math.min(1, maxSide / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  // JPEG has no transparency; without this it would come out black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, MIME, quality));
}

// Returns the frame that sends the picture.
export async function pack(blob, caption) {
  const header = new TextEncoder().encode(JSON.stringify({ mime: MIME, caption }));
  const frame = new Uint8Array(2 + header.length + blob.size);
  new DataView(frame.buffer).setUint16(0, header.length);
  frame.set(header, 2);
  frame.set(new Uint8Array(await blob.arrayBuffer()), 2 + header.length);
  return frame;
}

// Returns {id, blob} of a frame that came.
export function unpack(buffer) {
  const end = 2 + new DataView(buffer).getUint16(0);
  const { id, mime } = JSON.parse(new TextDecoder().decode(buffer.slice(2, end)));
  return { id, blob: new Blob([buffer.slice(end)], { type: mime }) };
}

// Returns the first picture among pasted or dropped things, or null.
export function pictureIn(transfer) {
  return [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}
