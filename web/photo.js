// From a file to pixels.

const MOST_PIXELS = 2 ** 22; // 4.2 megapixels: larger photos are reduced, so that the slider moves without delay

// blob: a file of a picture. Returns { pixels (RGBA), height, width, fullHeight, fullWidth }; colours as the file has them.
export async function decode(blob, leastSize) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("This file is no picture that the browser can read. Try a JPEG, PNG or WebP file.");
  }
  const { height: fullHeight, width: fullWidth } = bitmap;
  if (Math.min(fullHeight, fullWidth) < leastSize) {
    throw new Error(`This picture has ${fullWidth} × ${fullHeight} pixels. Choose one of at least ${leastSize} × ${leastSize}.`);
  }
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (fullHeight * fullWidth)));
  const height = Math.max(leastSize, Math.floor(fullHeight * scale));
  const width = Math.max(leastSize, Math.floor(fullWidth * scale));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white"; // behind pixels that can be seen through
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { pixels: context.getImageData(0, 0, width, height).data, height, width, fullHeight, fullWidth };
}
