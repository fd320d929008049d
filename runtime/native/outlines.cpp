// Rings traced along the sides of pixels. A step goes from a corner of pixels to the next one; where it arrives, the two pixels ahead
// say how it goes on:
//
//     left | right     right inside, left outside: straight on     neither inside: to the right
//     -----+-----                                                  else: to the left
//          ^
//
// So where a region touches itself across a corner, the ring passes over to the other pixel, and never comes to that corner again.
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "label_map.h"

namespace ainet {
namespace {

constexpr int kOutside = -1;

// Directions: right, down, left, up; one more is a turn to the right.
constexpr int kStepX[] = {1, 0, -1, 0}, kStepY[] = {0, 1, 0, -1};

class Tracer {
  public:
    Tracer(const int32_t* regions, int height, int width)
        : regions_(regions), height_(height), width_(width), traced_(size_t(height) * width) {}

    Outlines run() {
        for (int y = 0; y < height_; ++y) {
            for (int x = 0; x < width_; ++x) {
                const int32_t region = at(y, x);
                if (region != at(y - 1, x) && !traced_[size_t(y) * width_ + x]) trace(region, y, x);
            }
        }
        out_.starts.push_back(static_cast<int64_t>(out_.points.size() / 2));
        return std::move(out_);
    }

  private:
    const int32_t* regions_;
    const int height_, width_;
    std::vector<uint8_t> traced_;  // of each pixel, whether its upper side has been passed
    Outlines out_;

    int32_t at(int y, int x) const {
        return y < 0 || x < 0 || y >= height_ || x >= width_ ? kOutside : regions_[size_t(y) * width_ + x];
    }

    // The pixel beside the step that leaves the corner (y, x) in a direction, on the one or the other side of it.
    int32_t right_of(int y, int x, int direction) const {
        return at(y - (direction == 2 || direction == 3), x - (direction == 1 || direction == 2));
    }
    int32_t left_of(int y, int x, int direction) const {
        return at(y - (direction == 0 || direction == 3), x - (direction == 2 || direction == 3));
    }

    // The ring through the upper side of the pixel (top, left), where it turns: the first one in reading order that is not traced.
    void trace(int32_t region, int top, int left) {
        out_.starts.push_back(static_cast<int64_t>(out_.points.size() / 2));
        out_.regions.push_back(region);
        int y = top, x = left, direction = 0;
        add_point(y, x);
        do {
            if (direction == 0) traced_[size_t(y) * width_ + x] = 1;
            const int32_t beside = left_of(y, x, direction);
            y += kStepY[direction];
            x += kStepX[direction];
            const int32_t right = right_of(y, x, direction), left_ahead = left_of(y, x, direction);
            const bool straight = right == region && left_ahead != region;
            if (!straight) direction = (left_ahead == region ? direction + 3 : direction + 1) % 4;
            if (!straight || left_ahead != beside) add_point(y, x);
        } while (y != top || x != left || direction != 0);
    }

    void add_point(int y, int x) {
        out_.points.push_back(x);
        out_.points.push_back(y);
    }
};

}  // namespace

Outlines outlines(const int32_t* regions, int height, int width) { return Tracer(regions, height, width).run(); }

}  // namespace ainet
