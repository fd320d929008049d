// AINET_CLONES makes GCC compile a function, with all that it calls, twice: for every x86-64 and for those with AVX2
// (since 2013). The loader takes the one that fits the machine. Elsewhere it does nothing.
#pragma once

#include <cstdlib>  // defines __GLIBC__; other C libraries may not let the loader choose

// Clang refuses the two attributes together, and ThreadSanitizer starts too late for the loader's choice.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define AINET_CLONES __attribute__((target_clones("avx2", "default"), flatten))
#else
#define AINET_CLONES
#endif
