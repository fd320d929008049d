// Connected superpixels: small components join a neighbour, large ones are cut, labels become 0..K-1.
#pragma once

#include <cstdint>

namespace ainet {

// labels, out: height x width, row by row. Label is an unsigned integer of 1, 2, 4 or 8 bytes; only equality matters.
// Needs 1 <= max_size, and height * width < 2^31. Uses no state but its arguments.
template <typename Label>
void enforce_connectivity(const Label* labels, int height, int width, int64_t min_size, int64_t max_size, int32_t* out);

}  // namespace ainet
