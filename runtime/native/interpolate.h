// From the association of the working pixels to the cell of each pixel of the image, by bilinear interpolation.
#pragma once

#include <cstdint>

namespace ainet {

// Sizes of the working image and of the map of cell ids; height and width of a cell, a multiple of 4.
struct Sizes {
    int h, w, height, width, cell;
};

// The part of the working image that there are scores of, from (top, left) on: multiples of the cell.
struct Part {
    int top, left, h, w;
};

// Where ids are wanted: rows from `top` to `bottom`, of each the columns from `left` to `right`.
struct Window {
    int top, bottom, left, right;
};

// scores: 9 x part.h x part.w, one plane per neighbouring cell, top-left to bottom-right; logits or the association itself. A cell outside
// the grid stands for the nearest inside. out: height x width cell ids, of which those of the window are written.
//
// Where the four working pixels around the centre of a pixel are in one cell, so is the pixel. Else their cells compete for it: the
// association of each of the four with these cells, which adds up to one, is interpolated, and the best takes it; of equals that of
// the upper, then of the left one of the four. device/image.cuh computes the same, step by step.
//
// in_quarters: each plane lies in four, of half the height and width: its pixels in even rows and even columns, then those in even rows and
// odd columns, in odd rows and even columns, in odd rows and odd columns.
void interpolate(const float* scores, bool in_quarters, bool logits, const Part& part, const Sizes& sizes, const Window& window,
                 int32_t* out);
void interpolate(const uint16_t* scores, bool in_quarters, bool logits, const Part& part, const Sizes& sizes, const Window& window,
                 int32_t* out);

constexpr int kBlock = 4;

// The mean association of blocks of 4 x 4 pixels, 9 x h/4 x w/4, of the rows from `begin` to `end` of it.
void average_blocks(const float* scores, bool logits, int h, int w, int begin, int end, float* out);
void average_blocks(const uint16_t* scores, bool logits, int h, int w, int begin, int end, float* out);

}  // namespace ainet
