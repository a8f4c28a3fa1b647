// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/transports/mapped_file/sigbus_guard.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <mutex>

#include "nearcall/transports/api/errno_status.h"

namespace nearcall::internal {
namespace {

// A guarded mapping. Never freed, reused: the handler walks the list without a lock.
struct Range {
  std::atomic<uintptr_t> base{0};  // 0: free. Written last when taken, first when given back
  std::atomic<size_t> size{0};
  std::atomic<bool> broken{false};
  Range* next = nullptr;
};

struct Guards {
  std::mutex mutex;  // taking and giving back, installing
  std::atomic<Range*> first{nullptr};
  bool installed = false;
  struct sigaction before = {};
};
// Never destroyed: mappings may outlive main(). Made before the handler is, so the handler only reads it.
Guards& TheGuards() {
  static Guards* const guards = new Guards;
  return *guards;
}

// Only what signal-safety(7) allows, and mmap(2), which is a plain system call.
bool Replace(uintptr_t address) {
  for (Range* range = TheGuards().first.load(); range != nullptr; range = range->next) {
    const uintptr_t base = range->base.load();
    const size_t size = range->size.load();
    if (base == 0 || address < base || address - base >= size) continue;
    const int error = errno;
    void* const zeros = ::mmap(reinterpret_cast<void*>(base), size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    errno = error;
    if (zeros == MAP_FAILED) return false;
    range->broken.store(true);
    return true;
  }
  return false;
}

void OnSigbus(int number, siginfo_t* info, void* context) {
  if (info->si_code > 0 && Replace(reinterpret_cast<uintptr_t>(info->si_addr))) return;
  const struct sigaction& before = TheGuards().before;
  if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(number, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(number);
  if (info->si_code <= 0) {  // sent by somebody: as if we were not here
    if (before.sa_handler == SIG_IGN) return;
    ::signal(number, SIG_DFL);
    ::raise(number);
    return;
  }
  ::signal(number, SIG_DFL);  // the same instruction faults again
}

absl::Status Install(Guards& guards) {
  if (guards.installed) return absl::OkStatus();
  struct sigaction ours = {};
  ours.sa_sigaction = &OnSigbus;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&ours.sa_mask);
  if (::sigaction(SIGBUS, nullptr, &guards.before) != 0 || ::sigaction(SIGBUS, &ours, nullptr) != 0) {
    return ErrnoStatus(errno, "cannot install a handler of SIGBUS");
  }
  guards.installed = true;
  return absl::OkStatus();
}

class SigbusGuard final : public MappingGuard {
 public:
  explicit SigbusGuard(Range* range) : range_(range) {}
  ~SigbusGuard() override { range_->base.store(0); }
  bool broken() const override { return range_->broken.load(std::memory_order_relaxed); }

 private:
  Range* const range_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MappingGuard>> NewSigbusGuard(void* base, size_t size) {
  Guards& guards = TheGuards();
  std::lock_guard<std::mutex> lock(guards.mutex);
  if (absl::Status status = Install(guards); !status.ok()) return status;
  Range* range = guards.first.load();
  while (range != nullptr && range->base.load() != 0) range = range->next;
  if (range == nullptr) {
    range = new Range;
    range->next = guards.first.load();
    guards.first.store(range);
  }
  range->broken.store(false);
  range->size.store(size);
  range->base.store(reinterpret_cast<uintptr_t>(base));
  return std::make_unique<SigbusGuard>(range);
}

}  // namespace nearcall::internal
