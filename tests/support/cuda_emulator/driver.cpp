// CUDA's driver API, as far as cuda-core, cuda-bindings and this project call it, over an emulated machine with two GPUs. Libraries
// find the entry points by cuGetProcAddress; one that is missing here is missing for them.
#include "device_calls.h"
#include "stream_calls.h"

using namespace emulator;

// --- kernels ---

static Status cuLibraryLoadData(void** library, const void* code, void*, void*, unsigned, void*, void*, unsigned) {
    ENTRY("cuLibraryLoadData")
    constexpr unsigned kFatBinary = 0xba55ed50, kElf = 0x464c457f;
    unsigned start_of_file;
    std::memcpy(&start_of_file, code, sizeof start_of_file);
    REQUIRE(start_of_file == kFatBinary || start_of_file == kElf, kInvalidImage)
    *library = &machine();
    return kSuccess;
}
static Status cuLibraryUnload(void*) { return kSuccess; }
static Status cuLibraryGetKernel(const Kernel** kernel, void*, const char* name) {
    ENTRY("cuLibraryGetKernel")
    for (const Kernel& each : kernels()) {
        if (std::strcmp(each.name, name) == 0) {
            *kernel = &each;
            return kSuccess;
        }
    }
    return kNotFound;
}
static Status cuLaunchKernel(const Kernel* kernel, unsigned columns, unsigned rows, unsigned layers, unsigned threads, unsigned y, unsigned z,
                             unsigned shared, void* handle, void** parameters, void** extra) {
    ENTRY("cuLaunchKernel")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    REQUIRE(columns > 0 && columns <= 0x7fffffff && rows > 0 && rows <= 65535 && layers == 1, kInvalidValue)
    REQUIRE(threads > 0 && threads <= 1024 && threads % kWarp == 0 && y == 1 && z == 1 && !shared && !extra, kInvalidValue)
    REQUIRE(!kernel->team || threads == kWarp, kInvalidValue)
    if (machine().launches_until_failure >= 0 && machine().launches_until_failure-- == 0) return kLaunchFailed;
    const char* const first = static_cast<const char*>(parameters[0]);
    const std::vector<char> arguments(first, first + kernel->size);
    const int32_t count = *static_cast<const int32_t*>(parameters[1]);
    return start(*stream, [=] {
        const bool as_fibers = kernel->team || uint64_t{columns} * rows * threads <= kFewThreads;
        run_grid([=, &arguments] { kernel->run(arguments.data(), count); }, columns, rows, threads, as_fibers);
    });
}

static Status cuLaunchHostFunc(void* handle, void (*function)(void*), void* argument) {
    ENTRY("cuLaunchHostFunc")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    return start(*stream, [=] { function(argument); });
}

// --- how libraries find all this ---

#define FUNCTIONS(X)                                                                                                               \
    X(cuInit) X(cuDriverGetVersion) X(cuGetErrorName) X(cuDeviceGetCount) X(cuDeviceGet) X(cuDeviceGetName) X(cuDeviceGetAttribute) \
    X(cuDevicePrimaryCtxRetain) X(cuDevicePrimaryCtxRelease) X(cuCtxCreate) X(cuCtxSetCurrent) X(cuCtxGetCurrent) X(cuCtxGetDevice) X(cuCtxPushCurrent) X(cuCtxPopCurrent) \
    X(cuCtxGetStreamPriorityRange) X(cuMemAlloc) X(cuMemFree) X(cuMemAllocHost) X(cuMemFreeHost) X(cuMemGetInfo) X(cuMemcpyAsync)   \
    X(cuPointerGetAttribute) X(cuPointerGetAttributes) X(cuStreamCreateWithPriority) X(cuStreamDestroy) X(cuStreamSynchronize)      \
    X(cuStreamWaitEvent) X(cuStreamGetCtx) X(cuEventCreate) X(cuEventDestroy) X(cuEventRecord) X(cuEventRecordWithFlags)            \
    X(cuEventElapsedTime) X(cuStreamBeginCapture) X(cuStreamGetCaptureInfo) X(cuStreamEndCapture) X(cuGraphInstantiateWithParams)   \
    X(cuGraphDestroy) X(cuGraphExecDestroy) X(cuGraphLaunch) X(cuLibraryLoadData) X(cuLibraryUnload) X(cuLibraryGetKernel)          \
    X(cuLaunchKernel) X(cuLaunchHostFunc) X(cuUserObjectCreate) X(cuUserObjectRelease) X(cuGraphRetainUserObject) \
    X(cuGraphReleaseUserObject)

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Status cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, int* status) {
    static const std::map<std::string, void*> all = {
#define ROW(name) {#name, reinterpret_cast<void*>(&name)},
        FUNCTIONS(ROW)
#undef ROW
        {"cuGetProcAddress", reinterpret_cast<void*>(&cuGetProcAddress_v2)},
    };
    const auto found = all.find(name);
    *function = found == all.end() ? nullptr : found->second;
    if (status) *status = *function ? 0 : 1;
    return *function ? kSuccess : kNotFound;
}

// --- for the tests alone ---

EXPORT void emulator_set_capacity(uint64_t bytes) { machine().memory.capacity = bytes; }
EXPORT uint64_t emulator_used() { return machine().memory.used(); }
EXPORT uint64_t emulator_allocations() { return machine().memory.count(); }  // of device and pinned memory
EXPORT uint64_t emulator_streams() { return machine().streams.count(); }
EXPORT int64_t emulator_calls(const char* entry_point) { return machine().calls[entry_point]; }
EXPORT void emulator_fail_launch(int after) { machine().launches_until_failure = after; }
EXPORT void emulator_lose(bool lost) { machine().lost = lost; }
EXPORT void emulator_seed(unsigned seed) { random_numbers.seed(seed); }
