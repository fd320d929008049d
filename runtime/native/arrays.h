// Arrays of the Python modules: those that come in are C-contiguous and on the host, those that go out own their memory.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace ainet {

template <typename T, int... kShape>
using Input = nanobind::ndarray<const T, nanobind::shape<kShape...>, nanobind::c_contig, nanobind::device::cpu>;
template <typename T>
using Output = nanobind::ndarray<nanobind::numpy, T>;

// A numpy array of that shape, which takes over the values.
template <typename T>
Output<T> as_array(std::vector<T>&& values, std::initializer_list<size_t> shape) {
    auto kept = std::make_unique<std::vector<T>>(std::move(values));
    const nanobind::capsule owner(kept.get(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return Output<T>(kept.release()->data(), shape, owner);
}

}  // namespace ainet
