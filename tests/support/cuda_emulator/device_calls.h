// Entry points for devices, contexts and memory.
#pragma once

#include "machine.h"

namespace emulator {

// --- the machine, devices and contexts ---

static Status cuInit(unsigned) {
    ENTRY("cuInit")
    machine().initialised = true;
    return kSuccess;
}
static Status cuDriverGetVersion(int* version) {
    ENTRY("cuDriverGetVersion")
    *version = kVersion;
    return kSuccess;
}
static Status cuGetErrorName(Status status, const char** text) { return (*text = name_of(status)) ? kSuccess : kInvalidValue; }
static Status cuDeviceGetCount(int* count) {
    ENTRY("cuDeviceGetCount")
    REQUIRE(machine().initialised, kNotInitialised)
    *count = kDevices;
    return kSuccess;
}
static Status cuDeviceGet(int* device, int ordinal) {
    ENTRY("cuDeviceGet")
    REQUIRE(ordinal >= 0 && ordinal < kDevices, kInvalidDevice)
    *device = ordinal;
    return kSuccess;
}
static Status cuDeviceGetName(char* name, int size, int device) {
    ENTRY("cuDeviceGetName")
    std::snprintf(name, size, "Emulated GPU %d", device);
    return kSuccess;
}
static Status cuDeviceGetAttribute(int* value, int attribute, int device) {
    ENTRY("cuDeviceGetAttribute")
    constexpr int kMajor = 75, kMinor = 76, kUnifiedAddressing = 41;
    *value = attribute == kMajor ? (device == 0 ? 9 : 12) : attribute == kMinor ? device : attribute == kUnifiedAddressing;
    return kSuccess;
}
static Status cuDevicePrimaryCtxRetain(Context** context, int device) {
    ENTRY("cuDevicePrimaryCtxRetain")
    *context = &machine().primary[device];
    return kSuccess;
}
static Status cuDevicePrimaryCtxRelease(int) { return kSuccess; }
static Status cuCtxCreate(Context** context, void*, unsigned, int device) {
    ENTRY("cuCtxCreate")
    *context = current_context = new Context{device};
    return kSuccess;
}
static Status cuCtxSetCurrent(Context* context) {
    ENTRY("cuCtxSetCurrent")
    current_context = context;
    return kSuccess;
}
static Status cuCtxPushCurrent(Context* context) {
    ENTRY("cuCtxPushCurrent")
    previous_contexts.push_back(current_context);
    current_context = context;
    return kSuccess;
}
static Status cuCtxPopCurrent(Context** context) {
    ENTRY("cuCtxPopCurrent")
    REQUIRE(!previous_contexts.empty(), kInvalidContext)
    if (context) *context = current_context;
    current_context = previous_contexts.back();
    previous_contexts.pop_back();
    return kSuccess;
}
static Status cuCtxGetCurrent(Context** context) {
    ENTRY("cuCtxGetCurrent")
    *context = current_context;
    return kSuccess;
}
static Status cuCtxGetDevice(int* device) {
    ENTRY("cuCtxGetDevice")
    REQUIRE(current_context, kInvalidContext)
    *device = current_context->device;
    return kSuccess;
}
static Status cuStreamGetCtx(void*, Context** context) { return cuCtxGetCurrent(context); }
static Status cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    ENTRY("cuCtxGetStreamPriorityRange")
    *least = *greatest = 0;
    return kSuccess;
}

// --- memory ---

static Status cuMemAlloc(uintptr_t* address, size_t size) {
    ENTRY("cuMemAlloc")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    return machine().memory.allocate(size, false, current_context, *address);
}
static Status cuMemFree(uintptr_t address) {
    ENTRY("cuMemFree")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    machine().streams.run_all();
    return machine().memory.release(address, false);
}
static Status cuMemAllocHost(uintptr_t* address, size_t size) {
    ENTRY("cuMemAllocHost")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    return machine().memory.allocate(size, true, current_context, *address);
}
static Status cuMemFreeHost(uintptr_t address) {
    ENTRY("cuMemFreeHost")
    OUTSIDE_CAPTURE()
    REQUIRE(current_context, kInvalidContext)
    machine().streams.run_all();
    return machine().memory.release(address, true);
}
static Status cuMemGetInfo(size_t* free, size_t* total) {
    ENTRY("cuMemGetInfo")
    *total = machine().memory.capacity;
    *free = *total - machine().memory.used();
    return kSuccess;
}
static Status cuMemcpyAsync(uintptr_t target, uintptr_t source, size_t size, void* handle) {
    ENTRY("cuMemcpyAsync")
    Stream* const stream = machine().streams.find(handle);
    REQUIRE(stream, kInvalidHandle)
    REQUIRE(size > 0 && machine().memory.holds(target, size) && machine().memory.holds(source, size), kInvalidValue)
    return start(*stream, [=] { std::memcpy(reinterpret_cast<void*>(target), reinterpret_cast<const void*>(source), size); });
}
static Status cuPointerGetAttribute(void* value, int attribute, uintptr_t address) {
    ENTRY("cuPointerGetAttribute")
    constexpr int kContext = 1, kMemoryType = 2, kIsManaged = 8, kOrdinal = 9;
    const Allocation* const found = machine().memory.find(address);
    REQUIRE(found, kInvalidValue)
    switch (attribute) {
        case kContext: *static_cast<Context**>(value) = found->owner; return kSuccess;
        case kMemoryType: *static_cast<unsigned*>(value) = found->pinned ? 1 : 2; return kSuccess;
        case kIsManaged: *static_cast<int*>(value) = 0; return kSuccess;
        case kOrdinal: *static_cast<int*>(value) = found->owner->device; return kSuccess;
        default: return kInvalidValue;
    }
}
static Status cuPointerGetAttributes(unsigned count, const int* attributes, void** values, uintptr_t address) {
    for (unsigned i = 0; i < count; ++i) cuPointerGetAttribute(values[i], attributes[i], address);  // one that is unknown stays as it is
    return kSuccess;
}

}  // namespace emulator
