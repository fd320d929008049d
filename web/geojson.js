// Regions as GeoJSON: one polygon each, x to the right and y downwards, in pixels of the photo.

// regions, rings: of Native. scaleX, scaleY: what the coordinates are multiplied by.
export function toGeoJson(regions, rings, scaleX, scaleY) {
  const features = regions.map(({ pixels, colour }, region) => ({
    type: "Feature",
    properties: { region, pixels, colour },
    geometry: { type: "Polygon", coordinates: [] },
  }));
  for (const { region, points } of rings) {
    const ring = points.map(([x, y]) => [rounded(x * scaleX), rounded(y * scaleY)]);
    features[region].geometry.coordinates.push(ring);
  }
  return JSON.stringify({ type: "FeatureCollection", features });
}

function rounded(value) {
  return Math.round(value * 1000) / 1000;
}
