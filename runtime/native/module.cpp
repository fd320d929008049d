// Python bindings of the native pre- and post-processing. Types and shapes of arrays are checked in postprocess.py; here the images of a
// batch and their rows are spread over threads, and other Python threads run meanwhile.
#include <nanobind/nanobind.h>

#include <memory>
#include <utility>
#include <vector>

#include "arrays.h"
#include "cell_ids.h"
#include "connectivity.h"
#include "label_map_module.h"
#include "merging_module.h"
#include "parallel.h"
#include "resample.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using ainet::Input;
using ainet::Output;
template <typename Score>
using Scores = Input<Score, -1, -1, -1, -1>;                  // (N, 9, h, w), or in quarters (N, 36, h/2, w/2)
using Ids = Input<int32_t, -1, -1, -1>;                       // (N, h, w)
using Labels = Output<int32_t>;                               // (N, H, W)
using Images = Input<uint8_t, -1, -1, -1, 3>;
using First = Input<int32_t, -1>;         // of ainet::Taps
using Weights = Input<float, -1, -1>;

// A new array of that shape, written without Python's lock: fill(data).
template <typename T, typename Fill>
Output<T> make_array(const std::vector<size_t>& shape, const Fill& fill) {
    size_t size = 1;
    for (size_t n : shape) size *= n;
    std::unique_ptr<T[]> data(new T[size]);
    {
        const nb::gil_scoped_release release;
        fill(data.get());
    }
    const nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Output<T>(data.release(), shape.size(), shape.data(), owner);
}

template <typename Label>
Labels enforce_connectivity(const Input<Label, -1, -1, -1>& labels, int64_t min_size, int64_t max_size) {
    const size_t images = labels.shape(0), height = labels.shape(1), width = labels.shape(2), size = height * width;
    return make_array<int32_t>({images, height, width}, [&](int32_t* out) {
        ainet::parallel_for(static_cast<int64_t>(images), 0, [&](int64_t i) {
            ainet::enforce_connectivity(labels.data() + i * size, height, width, min_size, max_size, out + i * size);
        });
    });
}

// Whether each plane of scores lies in quarters. Cell ids, of three dimensions, never do.
template <typename Result>
bool in_quarters(const Result& output) { return output.ndim() == 4 && output.shape(1) != ainet::kNeighbours; }

// Height and width of the working image, or part of it, that the output of a network is of.
template <typename Result>
ainet::Part whole(const Result& output) {
    const int step = in_quarters(output) ? 2 : 1;
    return {0, 0, step * static_cast<int>(output.shape(output.ndim() - 2)), step * static_cast<int>(output.shape(output.ndim() - 1))};
}

// The cell ids of whole images, from either kind of network output.
template <typename Result>
void write_all_ids(const Result& output, const ainet::Rules& rules, int threads, int32_t* out) {
    const ainet::Part part = whole(output);
    const ainet::Window window{0, rules.height, 0, rules.width};
    ainet::write_ids(output.data(), output.shape(0), part, part.h, part.w, rules, window, threads, out);
}

template <typename Result>
Labels cell_ids(const Result& output, int height, int width, bool public_rules, int smoothing, bool logits, int threads) {
    const ainet::Rules rules{height, width, public_rules, smoothing, logits, in_quarters(output)};
    return make_array<int32_t>({output.shape(0), size_t(height), size_t(width)}, [&](int32_t* out) {
        write_all_ids(output, rules, threads, out);
    });
}

template <typename Result>
Labels output_to_labels(const Result& output, int height, int width, int64_t min_size, int64_t max_size, bool public_rules, int smoothing,
                        bool logits, int threads) {
    const ainet::Rules rules{height, width, public_rules, smoothing, logits, in_quarters(output)};
    const size_t images = output.shape(0), size = size_t(height) * width;
    return make_array<int32_t>({images, size_t(height), size_t(width)}, [&](int32_t* out) {
        const std::unique_ptr<int32_t[]> ids(new int32_t[images * size]);
        write_all_ids(output, rules, threads, ids.get());
        ainet::parallel_for(static_cast<int64_t>(images), threads, [&](int64_t i) {
            const auto* labels = reinterpret_cast<const uint32_t*>(ids.get() + i * size);
            ainet::enforce_connectivity(labels, height, width, min_size, max_size, out + i * size);
        });
    });
}

ainet::Taps taps(const First& first, const Weights& weights) {
    return {first.data(), weights.data(), static_cast<int>(weights.shape(0)), static_cast<int>(weights.shape(1))};
}

// resample(image, rows, columns, begin, end, out) for parts of the rows of each image; out: channels of the result lie anywhere in it.
template <typename T, typename Resample>
void resample_all(const Images& images, const ainet::Taps& rows, const ainet::Taps& columns, int threads, T* out,
                  const Resample& resample) {
    const size_t source = images.shape(1) * images.shape(2) * 3, target = size_t(rows.targets) * columns.targets * 3;
    ainet::parallel_rows(images.shape(0), rows.targets, columns.targets, threads, [&](int64_t i, int begin, int end) {
        resample(images.data() + i * source, begin, end, out + i * target);
    });
}

template <typename Label>
void define_for_labels(nb::module_& m) {
    m.def("enforce_connectivity", &enforce_connectivity<Label>, "labels"_a, "min_size"_a, "max_size"_a);
}

template <typename Result>
void define_for_results(nb::module_& m) {
    m.def("cell_ids", &cell_ids<Result>, "output"_a, "height"_a, "width"_a, "public"_a, "smoothing"_a, "logits"_a, "threads"_a);
    m.def("output_to_labels", &output_to_labels<Result>, "output"_a, "height"_a, "width"_a, "min_size"_a, "max_size"_a, "public"_a,
          "smoothing"_a, "logits"_a, "threads"_a);
}

bool is_span(int start, int end, int size) { return 0 <= start && start <= end && end <= size; }

bool is_in_cells(int start, int length, int size) { return start % ainet::kCellSize == 0 && is_span(start, start + length, size); }

// That the part holds all pixels that the window needs is the caller's duty.
template <typename Score>
void define_for_parts(nb::module_& m) {
    m.def("cell_ids_of_part", [](const Scores<Score>& scores, int top, int left, int working_height, int working_width, int smoothing,
                                 bool logits, int first_row, int end_row, int first_column, int end_column, int threads,
                                 nb::ndarray<int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>& out) {
        const ainet::Part all = whole(scores), part{top, left, all.h, all.w};
        const int height = static_cast<int>(out.shape(0)), width = static_cast<int>(out.shape(1));
        const ainet::Rules rules{height, width, false, smoothing, logits, in_quarters(scores)};
        const ainet::Window window{first_row, end_row, first_column, end_column};
        if (smoothing != 1 && smoothing != ainet::kBlock) throw nb::value_error("a part is smoothed");
        if (!is_in_cells(top, part.h, working_height) || !is_in_cells(left, part.w, working_width)) {
            throw nb::value_error("the part is not one of whole cells of the working image");
        }
        if (!is_span(first_row, end_row, height) || !is_span(first_column, end_column, width)) {
            throw nb::value_error("the window is not inside the map of ids");
        }
        const nb::gil_scoped_release release;
        ainet::write_ids(scores.data(), 1, part, working_height, working_width, rules, window, threads, out.data());
    }, "scores"_a, "top"_a, "left"_a, "working_height"_a, "working_width"_a, "smoothing"_a, "logits"_a, "first_row"_a, "end_row"_a,
       "first_column"_a, "end_column"_a, "threads"_a, "out"_a);
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Native pre- and post-processing. Called through postprocess.py, which checks types and shapes of arrays.";

    define_for_labels<uint8_t>(m);
    define_for_labels<uint16_t>(m);
    define_for_labels<uint32_t>(m);
    define_for_labels<uint64_t>(m);

    define_for_results<Scores<float>>(m);
    define_for_results<Scores<uint16_t>>(m);
    define_for_results<Ids>(m);
    define_for_parts<float>(m);
    define_for_parts<uint16_t>(m);

    m.def("make_taps", [](int sources, int targets, bool averages) {
        ainet::TapsTable table = averages ? ainet::area_taps(sources, targets) : ainet::bicubic_taps(sources, targets);
        const size_t rows = table.targets(), taps = table.taps();
        return nb::make_tuple(ainet::as_array(std::move(table.first), {rows}), ainet::as_array(std::move(table.weights), {rows, taps}));
    }, "sources"_a, "targets"_a, "averages"_a);

    m.def("resample", [](const Images& images, const First& row_first, const Weights& row_weights, const First& column_first,
                         const Weights& column_weights, int threads) {
        const ainet::Taps rows = taps(row_first, row_weights), columns = taps(column_first, column_weights);
        const int height = static_cast<int>(images.shape(1)), width = static_cast<int>(images.shape(2));
        return make_array<uint8_t>({images.shape(0), size_t(rows.targets), size_t(columns.targets), 3}, [&](uint8_t* out) {
            resample_all(images, rows, columns, threads, out, [&](const uint8_t* image, int begin, int end, uint8_t* bytes) {
                ainet::resample(image, height, width, rows, columns, begin, end, bytes);
            });
        });
    }, "images"_a, "row_first"_a, "row_weights"_a, "column_first"_a, "column_weights"_a, "threads"_a);

    m.def("resample_to_planes", [](const Images& images, const First& row_first, const Weights& row_weights, const First& column_first,
                                   const Weights& column_weights, const Input<float, 3>& mean, int threads) {
        const ainet::Taps rows = taps(row_first, row_weights), columns = taps(column_first, column_weights);
        const int height = static_cast<int>(images.shape(1)), width = static_cast<int>(images.shape(2));
        return make_array<float>({images.shape(0), 3, size_t(rows.targets), size_t(columns.targets)}, [&](float* out) {
            resample_all(images, rows, columns, threads, out, [&](const uint8_t* image, int begin, int end, float* planes) {
                ainet::resample(image, height, width, rows, columns, begin, end, mean.data(), planes);
            });
        });
    }, "images"_a, "row_first"_a, "row_weights"_a, "column_first"_a, "column_weights"_a, "mean"_a, "threads"_a);

    ainet::define_label_map(m);
    ainet::define_merging(m);
}
