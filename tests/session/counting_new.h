// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whoever links this has an operator new that counts, and a nothrow one that has no memory for more than 1 GiB.
#ifndef NEARCALL_TESTS_SESSION_COUNTING_NEW_H_
#define NEARCALL_TESTS_SESSION_COUNTING_NEW_H_

#include <cstddef>

namespace nearcall::internal {

size_t CountedAllocations();  // by operator new, in the whole process so far
size_t CountedBytes();        // asked of it

}  // namespace nearcall::internal

#endif  // NEARCALL_TESTS_SESSION_COUNTING_NEW_H_
