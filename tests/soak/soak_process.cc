// Copyright 2026 The nearcall Authors
// SPDX-License-Identifier: Apache-2.0
#include "nearcall/tests/soak/soak_process.h"

#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nearcall/tests/soak/soak.h"
#include "nearcall/transports/api/clock.h"
#include "nearcall/transports/api/unique_fd.h"

namespace nearcall {
namespace {

// What a pool may have more at one time than at another: its spare threads, its pinned ones and its monitor. A thread
// that leaks with each call or connection is soon above.
constexpr int kPoolThreads = 16;
constexpr int kPoolMappings = 4 * kPoolThreads + 64;  // a stack, its guard and an arena each

// Below those that connect(2) chooses from: else, while the server is dead, a client could take its port. 0: none.
int FreePort() {
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  int chosen_from = 0;
  range >> chosen_from;
  for (int port = IPPORT_RESERVED + static_cast<int>(::getpid()) % 8192; port < chosen_from; ++port) {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return port;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> StartRole(const std::string& role,
                                                        const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {bench::SelfPath(), "--role", role};
  command.insert(command.end(), arguments.begin(), arguments.end());
  absl::StatusOr<std::unique_ptr<ChildProcess>> child = ChildProcess::Start(command);
  if (!child.ok()) return child.status();
  absl::StatusOr<std::string> line = (*child)->Hear(absl::Seconds(20));
  if (!line.ok()) return line.status();
  if (*line != "ready") return absl::InternalError(absl::StrCat("the ", role, " did not start: ", *line));
  return child;
}

std::string AddressOf(absl::string_view scheme, const ScratchFolder& folder, absl::string_view name) {
  if (scheme == "tcp") return absl::StrCat("tcp:127.0.0.1:", FreePort());
  return absl::StrCat(scheme, ":", folder.Path(name));
}

absl::StatusOr<BusyCores> BusyCores::Start() {
  BusyCores busy;
  for (size_t i = 0; i < bench::StartCpus().size(); ++i) {
    absl::StatusOr<std::unique_ptr<ChildProcess>> child = StartRole("busy", {});
    if (!child.ok()) return child.status();
    busy.children_.push_back(*std::move(child));
  }
  return busy;
}

int RunBare(const std::vector<std::string>&) {
  bench::SayLine("ready");
  for (std::string line; bench::HearLine(line);) {
  }
  return 0;
}

int RunBusy(const std::vector<std::string>&) {
  std::atomic<bool> end{false};
  std::thread worker([&end] {
    while (!end.load(std::memory_order_relaxed)) {
    }
  });
  bench::SayLine("ready");
  for (std::string line; bench::HearLine(line);) {
  }
  end.store(true);
  worker.join();
  return 0;
}

// ---- what a process holds

bool AuditLines::Obey(const std::string& line) {
  if (line == "audit-begin") {
    audit_.emplace(LeakAudit::Options{
        .directory = directory_, .mapping_tolerance = kPoolMappings, .thread_tolerance = kPoolThreads});
    bench::SayLine("begun");
    return true;
  }
  if (line == "heap") {
    const struct mallinfo2 info = ::mallinfo2();
    bench::SayLine(absl::StrCat(info.uordblks + info.hblkhd));
    return true;
  }
  if (line != "audit-end") return false;
  const std::string left = audit_.has_value() ? audit_->Compare() : "no audit was begun\n";
  bench::SayLine(left.empty() ? "nothing" : OneLine(left));
  return true;
}

absl::Status BeginAudit(ChildProcess& process) { return process.Ask("audit-begin").status(); }

absl::Status EndAudit(ChildProcess& process) {
  absl::StatusOr<std::string> left = process.Ask("audit-end", absl::Seconds(30));
  if (!left.ok()) return left.status();
  return *left == "nothing" ? absl::OkStatus() : absl::DataLossError(absl::StrCat("left over: ", *left));
}

absl::StatusOr<double> HeapBytes(ChildProcess& process) {
  absl::StatusOr<std::string> answer = process.Ask("heap");
  if (!answer.ok()) return answer.status();
  double bytes = 0;
  if (!absl::SimpleAtod(*answer, &bytes)) return absl::InternalError(absl::StrCat("no number of bytes: ", *answer));
  return bytes;
}

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ';');
  return text;
}

absl::StatusOr<SharedFile> SharedFile::Open(const std::string& path, size_t size) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid() || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0) return absl::ErrnoToStatus(errno, path);
  void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return absl::ErrnoToStatus(errno, absl::StrCat("mmap ", path));
  return SharedFile(data, size);
}

SharedFile::SharedFile(SharedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}

SharedFile::~SharedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

// ---- others

SwitchesByThread ReadSwitches(pid_t pid) {
  SwitchesByThread result;
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"), ignored)) {
    std::ifstream status(task.path() / "status");
    std::string key, name;
    Switches switches;
    for (; status >> key; std::getline(status, key)) {
      if (key == "Name:") status >> name;
      if (key == "voluntary_ctxt_switches:") status >> switches.voluntary;
      if (key == "nonvoluntary_ctxt_switches:") status >> switches.involuntary;
    }
    result[absl::StrCat(name, " ", task.path().filename().native())] = switches;
  }
  return result;
}

bool Eventually(const std::function<bool()>& condition, int limit_ms) {
  const int64_t end = MonotonicNanos() + int64_t{limit_ms} * 1'000'000;
  while (!condition()) {
    if (MonotonicNanos() > end) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

// SplitMix64.
uint64_t Random::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace nearcall
